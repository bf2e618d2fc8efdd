import { ApiClient, ApiError, type ClientOptions } from './client.ts';
import { object, text } from './records.ts';

/** The part of API Gateway (dedicated instances) that a trigger needs. */
export class Gateways {
  readonly #client: ApiClient;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'apig' });
  }

  /** The subdomain that the platform gave a group of APIs; undefined if the user may not read it. */
  async domainOf(instanceId: string, groupId: string): Promise<string | undefined> {
    const path = `/v2/{project_id}/apigw/instances/${instanceId}/api-groups/${groupId}`;
    try {
      return text(object(await this.#client.call({ method: 'GET', path })).sl_domain);
    } catch (error) {
      if (error instanceof ApiError) return undefined;
      throw error;
    }
  }
}
