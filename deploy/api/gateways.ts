import { ApiClient, ApiError, type ClientOptions } from './client.ts';
import { object, text } from './records.ts';

/** API Gateway's dedicated instances, as far as a trigger needs them. */
export class Gateways {
  readonly #client: ApiClient;
  readonly #projectId: string;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'apig' });
    this.#projectId = options.projectId;
  }

  /** The subdomain that a group of APIs has from the platform; undefined where it may not be asked for. */
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
