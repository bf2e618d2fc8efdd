import type { ClientOptions } from './api/client.ts';
import { findProjectId } from './api/project.ts';
import { type CloudService, endpointVariable } from './api/regions.ts';
import { type Environment, findAccount } from './credentials.ts';

/** Every API client of a deployment is made with this. */
export interface Cloud {
  region: string;
  projectId: string;
  /** Where the credentials were found. */
  source: string;
  clientOptions(service: CloudService): Omit<ClientOptions, 'service'> & { projectId: string };
}

/** Finds credentials and project. Throws if one is missing, and names what to set. */
export async function connectCloud(
  region: string,
  projectId: string | undefined,
  environment: Environment = process.env,
): Promise<Cloud> {
  const account = findAccount(environment);
  const options = (service: CloudService): Omit<ClientOptions, 'service'> => ({
    region,
    endpoint: environment[endpointVariable(service)] || undefined,
    credentials: account.credentials,
  });
  const id =
    projectId ??
    account.projectId ??
    (await findProjectId(options('iam'), environment.OS_PROJECT_NAME || region));
  return {
    region,
    projectId: id,
    source: account.source,
    clientOptions: (service) => ({ ...options(service), projectId: id }),
  };
}
