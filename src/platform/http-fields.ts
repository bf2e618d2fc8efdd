import { Failure } from '../errors.ts';
import { isObject, type Members } from './members.ts';

/** The values of each header or query parameter, in their order. */
type Fields = Record<string, string[]>;

/** Headers in lower case, a repeated one as a list (RFC 9110, section 5.2). Throws MALFORMED_REQUEST. */
export function readHeaders(event: Members): Record<string, string> {
  const lowerCase = (name: string) => name.toLowerCase();
  const fields = merged(event, 'headers', 'multiValueHeaders', lowerCase);
  // Version 2 of AWS's event moves the cookies out of the headers.
  if (event.cookies !== undefined) Object.assign(fields, fieldsOf({ cookie: event.cookies }, 'cookies'));
  return joined(fields, (name) => (name === 'cookie' ? '; ' : ', '));
}

/** Reads the query. Repeated parameters are joined by commas, for every gateway. Throws MALFORMED_REQUEST. */
export function readQuery(event: Members): Record<string, string> {
  const { rawQueryString, requestContext } = event;
  if (typeof rawQueryString === 'string') return decodedQuery(rawQueryString);
  const fields = merged(event, 'queryStringParameters', 'multiValueQueryStringParameters');
  // AWS's load balancer passes names and values on undecoded; API Gateway and APIG decode them.
  if (isObject(requestContext) && isObject(requestContext.elb)) {
    const pairs = Object.entries(fields).flatMap(([name, values]) =>
      values.map((value) => `${name}=${value}`),
    );
    return decodedQuery(pairs.join('&'));
  }
  return joined(fields);
}

function decodedQuery(text: string): Record<string, string> {
  const fields: Fields = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) append(fields, name, [value]);
  return joined(fields);
}

/** A name that is in both forms takes the values of `multiple`, which has all of them. */
function merged(event: Members, single: string, multiple: string, rename?: (name: string) => string): Fields {
  const all = fieldsOf(event[single], single, rename);
  return Object.assign(all, fieldsOf(event[multiple], multiple, rename));
}

function fieldsOf(members: unknown, what: string, rename = (name: string) => name): Fields {
  // Without a prototype, so that no member of an event can reach one.
  const fields: Fields = Object.create(null);
  if (members === undefined || members === null) return fields;
  if (!isObject(members)) throw malformed(`${what} must be an object`);
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined || value === null) continue;
    const values: unknown[] = Array.isArray(value) ? value : [value];
    if (!values.every((item) => typeof item === 'string')) {
      throw malformed(`the values in its ${what} must be text`);
    }
    append(fields, rename(name), values);
  }
  return fields;
}

function append(fields: Fields, name: string, values: string[]): void {
  fields[name] ??= [];
  for (const value of values) fields[name].push(value);
}

function joined(fields: Fields, separator: (name: string) => string = () => ','): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [name, values] of Object.entries(fields)) result[name] = values.join(separator(name));
  return result;
}

export function malformed(problem: string): Failure {
  return new Failure('MALFORMED_REQUEST', `the event is no HTTP request of a gateway: ${problem}`);
}
