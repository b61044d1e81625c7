import { lockImage, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { findTag, type Tag, updateStages } from '../database/sql/tag-rows.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import type { RegistryPrincipal } from './access.ts';
import type { ImageName } from './image-name.ts';
import type { Registry } from './registry.ts';
import { requireChangeable, unknownManifest } from './tags.ts';

/** Promotions of a tag (bkrepo-docker.md 3.2), only ever forward. */
export const STAGES = ['@prerelease', '@release'] as const;
export type Stage = (typeof STAGES)[number];

/** With or without the `@`. Throws InvalidInputError. */
export function parseStage(text: string): Stage {
  const name = `@${text.replace(/^@/, '').toLowerCase()}`;
  const stage = STAGES.find((one) => one === name);
  if (!stage) throw new InvalidInputError('Unknown tag', { details: { stage: text } });
  return stage;
}

/** Promotes a tag to a stage; null: to the next one. Throws `manifest-unknown`, ConflictError. */
export async function promoteTag(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  { tag, stage }: { tag: string; stage: Stage | null },
): Promise<Tag> {
  const imageId = await requireChangeable(registry, principal, image);
  const { userId } = principal;
  return await registry.database.transaction(async ({ sql }) => {
    // Nobody else promotes the tag now.
    await lockImage(sql, imageId);
    const found = await findTag(sql, imageId, tag);
    if (!found) throw unknownManifest({ tag });
    const reached = next(found.stages, stage);
    const stages = [...found.stages, reached];
    await recordImageEvent(sql, { imageId, type: 'promoted', data: { tag, stage: reached }, userId });
    await updateStages(sql, { imageId, name: tag, stages });
    return { ...found, stages };
  });
}

function next(stages: readonly string[], wanted: Stage | null): Stage {
  const reached = STAGES.findLastIndex((stage) => stages.includes(stage));
  const stage = wanted ?? STAGES[reached + 1];
  if (!stage || STAGES.indexOf(stage) <= reached) {
    throw new ConflictError('Illegal stage', { details: { stages } });
  }
  return stage;
}
