import { type JsonObject, list, object, text } from './api/records.ts';
import type { Trigger } from './description.ts';

/** A trigger as the platform shows it. */
export interface DeployedTrigger {
  id: string;
  type: string;
  status: string;
  eventData: JsonObject;
}

/** `event_data` of the documented REST call that creates a trigger. */
export function eventData(trigger: Trigger): JsonObject {
  switch (trigger.type) {
    case 'TIMER':
      return {
        name: trigger.name,
        schedule_type: trigger.scheduleType,
        schedule: trigger.schedule,
        user_event: trigger.userEvent,
      };
    case 'DEDICATEDGATEWAY':
      return {
        name: trigger.name,
        type: 1,
        instance_id: trigger.instanceId,
        group_id: trigger.groupId,
        ...(trigger.domain === undefined ? {} : { sl_domain: trigger.domain }),
        env_id: 'DEFAULT_ENVIRONMENT_RELEASE_ID',
        env_name: 'RELEASE',
        path: trigger.path,
        match_mode: trigger.match,
        req_method: trigger.method,
        protocol: trigger.protocol,
        auth: trigger.auth,
        backend_type: 'FUNCTION',
        func_info: { timeout: trigger.timeoutMs },
      };
    case 'KAFKA':
      return {
        instance_id: trigger.instanceId,
        topic_ids: trigger.topics,
        batch_size: trigger.batchSize,
        ...(trigger.user === undefined ? {} : { kafka_user: trigger.user, kafka_password: trigger.password }),
      };
    case 'OPENSOURCEKAFKA':
      return {
        kafka_connect_address: trigger.addresses.join(','),
        topic_ids: trigger.topics,
        batch_size: trigger.batchSize,
      };
  }
}

/** The platform may show these differently, or not at all, for the same trigger. */
const NOT_COMPARED = new Set(['kafka_password', 'type', 'env_id', 'env_name', 'backend_type']);

/**
 * Whether the deployed trigger does what the file says; a password can't be read back. The platform shows neither the
 * instance nor the domain of a gateway's trigger: an absent value is unknown, not different.
 */
export function isSameData(trigger: Trigger, deployed: DeployedTrigger): boolean {
  const isUnknown = (name: string): boolean =>
    NOT_COMPARED.has(name) || (trigger.type === 'DEDICATEDGATEWAY' && deployed.eventData[name] === undefined);
  return Object.entries(eventData(trigger)).every(
    ([name, wanted]) => isUnknown(name) || isSame(wanted, deployed.eventData[name]),
  );
}

function isSame(wanted: unknown, present: unknown): boolean {
  if (Array.isArray(wanted))
    return [...wanted].sort().join() === [...list(present)].map(String).sort().join();
  if (typeof wanted === 'object') {
    return Object.entries(object(wanted)).every(([name, value]) => isSame(value, object(present)[name]));
  }
  return String(wanted ?? '') === String(present ?? '');
}

/** Whether `deployed` is an earlier state of `trigger`. */
export function isEarlierStateOf(trigger: Trigger, deployed: DeployedTrigger): boolean {
  if (deployed.type !== trigger.type) return false;
  const { eventData: data } = deployed;
  switch (trigger.type) {
    case 'TIMER':
    case 'DEDICATEDGATEWAY':
      return text(data.name) === trigger.name;
    case 'KAFKA':
      return text(data.instance_id) === trigger.instanceId;
    case 'OPENSOURCEKAFKA':
      return isSame(trigger.addresses, text(data.kafka_connect_address)?.split(',') ?? []);
  }
}
