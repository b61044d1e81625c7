import { defineEntity, type InferEntity, type Opt, p } from '@mikro-orm/postgresql';
import { User } from './user.ts';

export const ROLES = ['viewer', 'developer', 'owner'] as const;
export type Role = (typeof ROLES)[number];

/** Groups requests (and later images); members see and change what their role allows. */
export const Project = defineEntity({
  name: 'Project',
  tableName: 'projects',
  properties: {
    id: p.bigint('number').primary(),
    name: p.text().unique(),
    /** How paths of images call it. The database sets it when the project is made, and it never changes. */
    path: p.text().$type<Opt<string>>().generated('by a trigger'),
    visibility: p.enum(['private', 'public'] as const),
    displayName: p.text().nullable(),
    description: p.text().default(''),
    createdBy: () => p.manyToOne(User).nullable(),
    createdAt: p.datetime().onCreate(() => new Date()),
    modifiedBy: () => p.manyToOne(User).nullable(),
    modifiedAt: p.datetime().onCreate(() => new Date()),
  },
});
export type Project = InferEntity<typeof Project>;

export const ProjectMember = defineEntity({
  name: 'ProjectMember',
  tableName: 'project_members',
  properties: {
    project: () => p.manyToOne(Project).primary(),
    user: () => p.manyToOne(User).primary(),
    role: p.enum(ROLES),
    createdAt: p.datetime().onCreate(() => new Date()),
  },
});
export type ProjectMember = InferEntity<typeof ProjectMember>;
