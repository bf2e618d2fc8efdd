import type { FunctionDescription, Trigger } from './description.ts';

const TRIGGER_NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const API_NAME = /^[A-Za-z][A-Za-z0-9_]{2,63}$/;
/** The largest number that a rate may have with each unit. */
const RATE_LIMITS: Readonly<Record<string, number>> = { m: 60, h: 24, d: 30 };

/** Problems of a trigger; `at` names its function. */
export function triggerProblems(at: string, description: FunctionDescription, trigger: Trigger): string[] {
  switch (trigger.type) {
    case 'TIMER':
      return timerProblems(at, trigger);
    case 'DEDICATEDGATEWAY':
      return gatewayProblems(at, trigger);
    case 'KAFKA':
      return kafkaProblems(at, description, trigger);
    case 'OPENSOURCEKAFKA':
      return openSourceKafkaProblems(at, description, trigger);
  }
}

function timerProblems(at: string, timer: Trigger & { type: 'TIMER' }): string[] {
  const problems: string[] = [];
  const { name, schedule, scheduleType } = timer;
  if (!name.startsWith('${') && !TRIGGER_NAME.test(name)) {
    problems.push(
      `${at}: the timer's name "${name}" must begin with a letter and have at most 64 letters, digits, - and _.`,
    );
  }
  if (scheduleType === 'Cron' && !isCron(schedule)) {
    problems.push(
      `${at}: the timer ${name} has cron "${schedule}"; write six fields (second minute hour day month weekday) or "@every 90s".`,
    );
  }
  if (scheduleType === 'Rate' && !schedule.startsWith('${') && !isRate(schedule)) {
    problems.push(
      `${at}: the timer ${name} has rate "${schedule}"; write 1m to 60m, 1h to 24h or 1d to 30d.`,
    );
  }
  return problems;
}

function isRate(schedule: string): boolean {
  const [, count, unit = ''] = /^([1-9]\d*)([mhd])$/.exec(schedule) ?? [];
  return Number(count) <= (RATE_LIMITS[unit] ?? 0);
}

function isCron(schedule: string): boolean {
  if (/^@every (\d+h)?(\d+m)?(\d+s)?$/.test(schedule)) return /\d/.test(schedule);
  const fields = schedule
    .trim()
    .replace(/^CRON_TZ=\S+ /, '')
    .split(/\s+/);
  return fields.length === 6 && fields.every((field) => /^[\d*/,?LWA-Z#-]+$/i.test(field));
}

function gatewayProblems(at: string, gateway: Trigger & { type: 'DEDICATEDGATEWAY' }): string[] {
  const problems: string[] = [];
  if (!API_NAME.test(gateway.name)) {
    problems.push(
      `${at}: the gateway API's name "${gateway.name}" must have 3 to 64 letters, digits and _, and begin with a letter.`,
    );
  }
  if (!gateway.path.startsWith('/')) {
    problems.push(`${at}: the gateway's path "${gateway.path}" must begin with /.`);
  }
  return problems;
}

function kafkaProblems(
  at: string,
  description: FunctionDescription,
  kafka: Trigger & { type: 'KAFKA' },
): string[] {
  const protocol = securityProtocol(description);
  if (protocol.startsWith('SASL') && (!kafka.user || !kafka.password)) {
    return [
      `${at}: the Kafka trigger has no user and password, but the instance speaks ${protocol}: set kafka.user and kafka.password.`,
    ];
  }
  if (Boolean(kafka.user) !== Boolean(kafka.password)) {
    return [`${at}: the Kafka trigger needs user and password, or neither.`];
  }
  return [];
}

function openSourceKafkaProblems(
  at: string,
  description: FunctionDescription,
  kafka: Trigger & { type: 'OPENSOURCEKAFKA' },
): string[] {
  const protocol = securityProtocol(description);
  const problems = kafka.addresses
    .filter((address) => !address.startsWith('${') && !/^[^\s:/]+:\d{1,5}$/.test(address))
    .map((address) => `${at}: the open-source Kafka trigger's address "${address}" must be host:port.`);
  if (protocol.startsWith('SASL')) {
    problems.push(
      `${at}: an open-source Kafka trigger can't authenticate, but the function uses ${protocol}: use a kafka trigger or the timer.`,
    );
  }
  return problems;
}

function securityProtocol({ environment }: FunctionDescription): string {
  return environment.KAFKA_SECURITY_PROTOCOL ?? 'SASL_SSL';
}

/** Two triggers of a function with the same key are the same. */
export function triggerKey(trigger: Trigger): string {
  switch (trigger.type) {
    case 'DEDICATEDGATEWAY':
      return `gateway ${trigger.name}`;
    case 'TIMER':
      return `timer ${trigger.name}`;
    case 'KAFKA':
      return `kafka ${trigger.instanceId}`;
    case 'OPENSOURCEKAFKA':
      return `opensourceKafka ${[...trigger.addresses].sort().join(',')}`;
  }
}
