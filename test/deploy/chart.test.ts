import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { readSettings } from '../../src/domain/config.ts';
import { TASKS } from '../../src/domain/queue/tasks.ts';

const ROOT = join(import.meta.dirname, '../..');
const CHART = join(ROOT, 'deploy/helm/stowage');
const BUILD = join(ROOT, 'test/support/build-helm');
const execute = promisify(execFile);

interface Manifest {
  kind: string;
  metadata: { name: string; annotations?: Record<string, string> };
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own
  spec: any;
}
interface Variable {
  name: string;
  value?: string;
}

const helm = await execute(BUILD, ['--if-built']).then(
  ({ stdout }) => stdout.trim(),
  () => null,
);
if (helm === null) process.stderr.write(`skipped, chart: helm is not built (${BUILD} builds it)\n`);

/** Values that somebody may have, and what is there with them. */
const INSTALLATIONS = {
  'as it comes': [],
  'with all that it can have': [
    ...['ingress.enabled=true', 'ingress.tlsSecret=certificate', 'networkPolicy.enabled=true'],
    ...['gateway.autoscaling.enabled=true', 'secretsKey.secret=secrets', 'secretsKey.key=secrets.key'],
    ...['settings.STOWAGE_LOG_LEVEL=debug', 'workers.builds.replicas=2', 'serviceAccount.name=stowage'],
    ...['workers.main.autoscaling.enabled=true', 'workers.main.autoscaling.minReplicas=2'],
    ...['workers.main.autoscaling.maxReplicas=9', 'image.pullSecrets={registry}'],
    'workers.main.autoscaling.targetCPUUtilizationPercentage=80',
    `image.digest=sha256:${'0'.repeat(64)}`,
  ],
  'with blobs on a claim': ['blobs.store=', 'blobs.claim=blobs', 'blobs.s3Secret='],
  bare: ['podDisruptionBudget.enabled=false', 'migrate.enabled=false', 'workers.builds=null'],
};

async function run(command: string, values: readonly string[]): Promise<string> {
  const options = ['--kube-version', '1.30.0', ...values.flatMap((value) => ['--set', value])];
  const { stdout } = await execute(helm!, [...command.split(' '), CHART, ...options]);
  return stdout;
}

const kept = new Map<string, Promise<Manifest[]>>();
/** The same values are rendered once. */
function rendered(values: readonly string[]): Promise<Manifest[]> {
  const key = values.join(' ');
  const manifests = kept.get(key) ?? render(values);
  kept.set(key, manifests);
  return manifests;
}

async function render(values: readonly string[]): Promise<Manifest[]> {
  const text = await run('template prod', values);
  const documents = parseAllDocuments(text).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as Manifest | null;
  });
  return documents.filter((document) => document !== null);
}

function deploymentOf(manifests: readonly Manifest[], name: string): Manifest {
  return manifests.find(
    ({ kind, metadata }) => kind === 'Deployment' && metadata.name === `prod-stowage-${name}`,
  )!;
}

const containerOf = ({ spec }: Manifest) => spec.template.spec.containers[0];
/** Settings of a process of ours; files of Secrets are there in a cluster only. */
function settingsOf(manifest: Manifest): Record<string, string> {
  const variables = containerOf(manifest).env as Variable[];
  const names = variables.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  return Object.fromEntries(variables.map(({ name, value }) => [name, value ?? 'postgresql://db.example/a']));
}

describe.skipIf(helm === null)('the chart', () => {
  test.each(Object.entries(INSTALLATIONS))('passes a strict lint, %s', async (_, values) => {
    const options = ['--strict', ...values.flatMap((value) => ['--set', value])];
    expect((await execute(helm!, ['lint', CHART, ...options])).stdout).toContain('0 chart(s) failed');
  });

  test.each(Object.entries(INSTALLATIONS))('makes processes that start, %s', async (_, values) => {
    const manifests = await rendered(values);
    const deployments = manifests.filter(({ kind }) => kind === 'Deployment');
    const names = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(names).toEqual([...new Set(names)]);
    for (const deployment of deployments) {
      const { template, selector } = deployment.spec;
      expect(template.metadata.labels).toMatchObject(selector.matchLabels);
      // Kubernetes makes STOWAGE_PORT=tcp://… of a Service that is called so.
      expect(template.spec.enableServiceLinks).toBe(false);
      const { STOWAGE_SIGNING_KEY, STOWAGE_SECRETS_KEY, ...environment } = settingsOf(deployment);
      const settings = readSettings(environment);
      expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(settings.drainSeconds + 10);
      const { volumeMounts, securityContext } = containerOf(deployment);
      const mounted = volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
      for (const file of [STOWAGE_SIGNING_KEY, STOWAGE_SECRETS_KEY]) {
        if (file !== undefined) expect(mounted).toContain(file.slice(0, file.lastIndexOf('/')));
      }
      if (settings.blobStore.startsWith('file:')) expect(mounted).toContain(settings.blobStore.slice(5));
      const volumes = template.spec.volumes.map(({ name }: { name: string }) => name);
      expect(volumes).toEqual(volumeMounts.map(({ name }: { name: string }) => name));
      if (!securityContext.privileged) {
        expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
        expect(securityContext).toMatchObject({
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        });
      }
    }
  });

  test.each(Object.entries(INSTALLATIONS))('selects what is there, %s', async (_, values) => {
    const manifests = await rendered(values);
    const pods = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'Job');
    const selectors = manifests.flatMap(({ kind, spec }) => {
      if (kind === 'Service') return [spec.selector];
      if (kind === 'PodDisruptionBudget') return [spec.selector.matchLabels];
      if (kind === 'NetworkPolicy') return [spec.podSelector.matchLabels];
      return [];
    });
    for (const selector of selectors) {
      expect(
        pods.filter(({ spec }) => {
          const { labels } = spec.template.metadata;
          return Object.entries(selector).every(([name, value]) => labels[name] === value);
        }),
      ).not.toEqual([]);
    }
    const names = manifests.map(({ metadata }) => metadata.name);
    for (const { kind, spec } of manifests) {
      if (kind === 'HorizontalPodAutoscaler') expect(names).toContain(spec.scaleTargetRef.name);
      if (kind === 'Ingress') expect(names).toContain(spec.rules[0].http.paths[0].backend.service.name);
    }
  });

  test('a gateway is asked what it answers, on the port that it has', async () => {
    const manifests = await rendered([]);
    const container = containerOf(deploymentOf(manifests, 'gateway'));
    const { port } = readSettings({});
    expect(container.args).toEqual(['gateway']);
    expect(container.ports).toEqual([{ name: 'http', containerPort: port }]);
    expect(container.livenessProbe.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(container.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'http' });
    const service = manifests.find(({ kind }) => kind === 'Service')!;
    expect(service.spec.ports).toEqual([{ name: 'http', port: 80, targetPort: 'http' }]);
    const registry = settingsOf(deploymentOf(manifests, 'worker-main'));
    expect(registry.STOWAGE_REGISTRY_URL).toBe(`http://${service.metadata.name}:80`);
  });

  test('every task is taken by some worker', async () => {
    const manifests = await rendered(['workers.builds.replicas=1']);
    const taken = manifests
      .filter(({ kind, metadata }) => kind === 'Deployment' && metadata.name.includes('-worker-'))
      .flatMap(
        (manifest) =>
          readSettings({ STOWAGE_WORKER_TASKS: settingsOf(manifest).STOWAGE_WORKER_TASKS }).workerTasks,
      );
    expect(taken.toSorted()).toEqual([...TASKS].toSorted());
  });

  test('the database is migrated before, by a job that needs nothing else of the release', async () => {
    const job = (await rendered([])).find(({ kind }) => kind === 'Job')!;
    expect(job.metadata.annotations).toMatchObject({ 'helm.sh/hook': 'pre-install,pre-upgrade' });
    expect(containerOf(job).args).toEqual(['migrate']);
    expect(containerOf(job).env.map(({ name }: Variable) => name)).toEqual(['DATABASE_URL']);
  });

  test.each([
    ['settings.STOWAGE_PORT=1', 'settings'],
    ['settings.PORT=1', 'settings'],
    ['image.digest=latest', 'image.digest'],
    ['blobs.claim=both', 'blobs'],
    ['workers.main.replicas=-1', 'workers.main.replicas'],
    ['workers.Main.replicas=1', 'workers'],
    ['database.secret=', 'database.secret'],
    ['gatway.replicas=1', 'gatway'],
  ])('refuses %s', async (value, where) => {
    await expect(rendered([value])).rejects.toThrow(where);
  });
});
