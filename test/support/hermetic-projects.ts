import { type GoProxy, startGoProxy } from './go-proxy.ts';
import { lockFileOf, type NpmRegistry, startNpmRegistry } from './npm-registry.ts';
import { makeSdist, type PythonIndex, requirementsOf, startPythonIndex } from './python-index.ts';

/** An application of one ecosystem with a Dockerfile that knows nothing of Stowage; `BASE` is its base image. */
export interface HermeticProject {
  files: Record<string, string>;
  /** What its command prints. */
  output: string;
}

export interface HermeticProjects {
  npm: HermeticProject;
  pip: HermeticProject;
  gomod: HermeticProject;
  /** Settings of a worker that finds the upstreams, and nothing else. */
  environment: Record<string, string>;
  close(): Promise<void>;
}

export async function startHermeticProjects(): Promise<HermeticProjects> {
  const [npm, python, go] = await Promise.all([
    startNpmRegistry([
      { name: 'left', version: '1.2.3', files: { 'index.js': 'module.exports = "left 1.2.3";\n' } },
      { name: '@scope/right', version: '2.0.0', files: { 'index.js': 'module.exports = "right 2.0.0";\n' } },
    ]),
    startPythonIndex([makeSdist('fixture-tool', '1.5')]),
    startGoProxy([
      {
        path: 'modules.example/greet',
        version: 'v1.1.0',
        files: { 'greet.go': 'package greet\n\nfunc Text() string { return "greet v1.1.0" }\n' },
      },
    ]),
  ]);
  return {
    npm: npmProject(npm),
    pip: pipProject(python),
    gomod: goProject(go),
    environment: {
      STOWAGE_NPM_REGISTRY: npm.url,
      STOWAGE_PYPI_INDEX: python.url.replace(/\/simple$/, ''),
      STOWAGE_GOPROXY: go.url,
      STOWAGE_GOSUMDB: 'off',
      STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
    },
    async close() {
      await Promise.all([npm.close(), python.close(), go.close()]);
    },
  };
}

function npmProject(registry: NpmRegistry): HermeticProject {
  const lock = lockFileOf(registry, 'https://registry.npmjs.org/');
  const dependencies = { left: '1.2.3', '@scope/right': '2.0.0' };
  return {
    files: {
      Dockerfile:
        'ARG BASE\nFROM $BASE\nWORKDIR /srv/site\nCOPY package.json package-lock.json ./\nRUN npm ci\n' +
        'COPY . .\nCMD ["node", "index.js"]\n',
      'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0', dependencies }),
      'package-lock.json': lock,
      'index.js': 'console.log(require("left") + ", " + require("@scope/right"));\n',
    },
    output: 'left 1.2.3, right 2.0.0',
  };
}

function pipProject({ files }: PythonIndex): HermeticProject {
  return {
    files: {
      Dockerfile:
        'ARG BASE\nFROM $BASE\nWORKDIR /srv/tool\nRUN python3 -m venv /opt/tool\n' +
        'ENV PATH=/opt/tool/bin:$PATH\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n' +
        'COPY main.py .\nCMD ["python", "main.py"]\n',
      'setup.cfg': '[metadata]\nname = tool\nversion = 1.0\n',
      'requirements.txt': requirementsOf(files),
      'main.py': 'import fixture_tool\nprint("fixture-tool " + fixture_tool.VERSION)\n',
    },
    output: 'fixture-tool 1.5',
  };
}

function goProject(proxy: GoProxy): HermeticProject {
  return {
    files: {
      Dockerfile:
        'ARG BASE\nFROM $BASE\nWORKDIR /src\nCOPY . .\nRUN go mod download\nRUN go build -o /greet .\nCMD ["/greet"]\n',
      'go.mod': 'module app.example/greet\n\ngo 1.19\n\nrequire modules.example/greet v1.1.0\n',
      'go.sum': proxy.sums(),
      'main.go':
        'package main\n\nimport (\n\t"fmt"\n\n\t"modules.example/greet"\n)\n\nfunc main() { fmt.Println(greet.Text()) }\n',
    },
    output: 'greet v1.1.0',
  };
}
