/** The triggers of one function, with what makes the real ones hard: nothing about them is done at once. */
import { randomUUID } from 'node:crypto';
import {
  type Body,
  CREATE_TRIGGER,
  checkFields,
  EVENT_DATA,
  invalid,
  UPDATE_TIMER,
  UPDATE_TRIGGER,
} from './fields.ts';
import { Refusal } from './refusal.ts';

export interface StoredTrigger {
  trigger_id: string;
  trigger_type_code: string;
  trigger_status: string;
  event_data: Body;
  created_time: string;
  last_updated_time: string;
  /** What it becomes when it has been looked at so often: another status, or gone. */
  coming?: { status: string | undefined; looks: number };
}

/** Only these can be disabled. */
const CAN_BE_DISABLED = ['TIMER', 'DDS', 'DMS', 'LTS', 'KAFKA', 'OPENSOURCEKAFKA'];
const TYPES = Object.keys(EVENT_DATA);
const MAX_TRIGGERS = 10;
/** What the API takes for a gateway's trigger, and its documentation does not show in an answer. */
const NOT_SHOWN = ['kafka_password'];
const NOT_SHOWN_OF_GATEWAY = ['instance_id', 'sl_domain', 'backend_type'];

export class Triggers {
  readonly #stored: StoredTrigger[] = [];
  readonly #looks: number;

  /** `looks`: how often a change is looked at before it is there. */
  constructor(looks: number) {
    this.#looks = looks;
  }

  /** As they are, without looking. */
  get all(): readonly StoredTrigger[] {
    return this.#stored;
  }

  /** One that was made in another way. */
  add(trigger: StoredTrigger): void {
    this.#stored.push(trigger);
  }

  create(body: Body): Body {
    checkFields(body, CREATE_TRIGGER);
    const type = String(body.trigger_type_code);
    const fields = EVENT_DATA[type];
    if (!fields) throw invalid(`trigger_type_code must be one of ${TYPES.join(', ')}`);
    const data = body.event_data as Body;
    checkFields(data, fields);
    this.#checkTwin(type, data);
    if (this.#stored.length >= MAX_TRIGGERS) throw invalid(`a function has at most ${MAX_TRIGGERS} triggers`);
    const isKafka = type.endsWith('KAFKA');
    const size = Number(data.batch_size);
    if (isKafka && (size < 1 || size > 1_000)) throw invalid('batch_size must be from 1 to 1000');
    const status = String(body.trigger_status ?? 'ACTIVE');
    checkStatus(type, status);
    const now = new Date().toISOString();
    const trigger: StoredTrigger = {
      trigger_id: randomUUID(),
      trigger_type_code: type,
      // Whatever was asked for.
      trigger_status: isKafka ? 'DISABLED' : status,
      event_data:
        type === 'DEDICATEDGATEWAY'
          ? { ...data, invoke_url: `https://${data.sl_domain ?? 'group.apic.example.com'}${data.path}` }
          : data,
      created_time: now,
      last_updated_time: now,
    };
    this.#stored.push(trigger);
    return show(trigger);
  }

  update(type: string, id: string, body: Body): Body {
    const isTimer = type === 'TIMER' && !Array.isArray(body.event_data);
    checkFields(body, isTimer ? UPDATE_TIMER : UPDATE_TRIGGER);
    const trigger = this.find(type, id);
    const status = String(body.trigger_status ?? trigger.trigger_status);
    checkStatus(type, status);
    if (isTimer && body.event_data) {
      checkFields(body.event_data as Body, EVENT_DATA.TIMER ?? {});
      trigger.event_data = body.event_data as Body;
    }
    if (status !== trigger.trigger_status) trigger.coming = { status, looks: this.#looks };
    return show(trigger);
  }

  remove(type: string, id: string): void {
    this.find(type, id).coming = { status: undefined, looks: this.#looks };
  }

  list(): Body[] {
    for (const trigger of [...this.#stored]) this.#look(trigger);
    return this.#stored.map(show);
  }

  show(type: string, id: string): Body {
    this.#look(this.find(type, id));
    return show(this.find(type, id));
  }

  find(type: string, id: string): StoredTrigger {
    const found = this.#stored.find(
      (trigger) => trigger.trigger_id === id && trigger.trigger_type_code === type,
    );
    if (!found) throw new Refusal(404, 'FSS.1051', 'Not found the trigger');
    return found;
  }

  #look(trigger: StoredTrigger): void {
    const { coming } = trigger;
    if (!coming) return;
    coming.looks -= 1;
    if (coming.looks >= 0) return;
    delete trigger.coming;
    if (coming.status === undefined) this.#stored.splice(this.#stored.indexOf(trigger), 1);
    else trigger.trigger_status = coming.status;
  }

  #checkTwin(type: string, data: Body): void {
    const name = type === 'KAFKA' ? 'instance_id' : 'name';
    const twin = this.#stored.find(
      (trigger) =>
        trigger.trigger_type_code === type &&
        data[name] !== undefined &&
        trigger.event_data[name] === data[name],
    );
    if (twin?.coming && twin.coming.status === undefined)
      throw new Refusal(409, 'FSS.1148', `the trigger ${data[name]} is being deleted`);
    if (twin) throw new Refusal(409, 'FSS.1127', `the trigger ${data[name]} already exists`);
  }
}

/** A password can't be read back. */
function show({ coming: _coming, ...trigger }: StoredTrigger): Body {
  const hidden =
    trigger.trigger_type_code === 'DEDICATEDGATEWAY' ? [...NOT_SHOWN, ...NOT_SHOWN_OF_GATEWAY] : NOT_SHOWN;
  const data = Object.entries(trigger.event_data).filter(([name]) => !hidden.includes(name));
  return { ...trigger, event_data: Object.fromEntries(data) };
}

function checkStatus(type: string, status: string): void {
  if (!['ACTIVE', 'DISABLED'].includes(status)) throw invalid('trigger_status must be ACTIVE or DISABLED');
  if (status === 'DISABLED' && !CAN_BE_DISABLED.includes(type))
    throw invalid(`a ${type} trigger cannot be disabled`);
}
