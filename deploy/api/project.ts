import { ApiClient, type ClientOptions } from './client.ts';
import { list, object, text } from './records.ts';

/**
 * Asks IAM for the id of the project with this name: the region's, unless OS_PROJECT_NAME names another. Throws if there
 * is none.
 */
export async function findProjectId(options: Omit<ClientOptions, 'service'>, name: string): Promise<string> {
  const client = new ApiClient({ ...options, service: 'iam' });
  const body = await client.call({ method: 'GET', path: '/v3/projects', query: { name } });
  const project = list(object(body).projects)
    .map(object)
    .find((candidate) => candidate.name === name);
  const id = text(project?.id);
  if (id !== undefined) return id;
  throw new Error(`There is no project "${name}": set provider.projectId, OS_PROJECT_ID or OS_PROJECT_NAME.`);
}
