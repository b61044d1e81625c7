import { Project, ProjectMember } from '../identity/project.ts';
import { Token } from '../identity/token.ts';
import { User } from '../identity/user.ts';

/** Everything that MikroORM maps. Tables that are only read and written in sets have statements under sql/ instead. */
export const entities = [User, Token, Project, ProjectMember];
