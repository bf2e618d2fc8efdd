import { ApiClient, ApiError, type ClientOptions } from './client.ts';
import { object, text } from './records.ts';

/** The part of API Gateway (dedicated instances) that a trigger needs. */
export class Gateways {
  readonly #client: ApiClient;
  readonly #projectId: string;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'apig' });
    this.#projectId = options.projectId;
  }

  /** The subdomain that the platform gave a group of APIs; undefined if the user may not read it. */
  async domainOf(instanceId: string, groupId: string): Promise<string | undefined> {
    const path = `/v2/${this.#projectId}/apigw/instances/${instanceId}/api-groups/${groupId}`;
    try {
      return text(object((await this.#client.send({ method: 'GET', path })).body).sl_domain);
    } catch (error) {
      if (error instanceof ApiError) return undefined;
      throw error;
    }
  }
}
