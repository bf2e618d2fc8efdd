import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import * as v from 'valibot';
import { openApi } from '../../functions/produce/openapi.ts';
import { routes } from '../../functions/produce/publish.ts';
import { bodySchema, MAX_RECORDS } from '../../functions/produce/request.ts';
import { errorTable } from '../error-table.ts';

interface Operation {
  responses: Record<
    string,
    { description: string; headers: object; content: Record<string, { schema: Answer }> }
  >;
}

interface Answer {
  properties: { code: { enum: string[] }; error_code: { enum: number[] } };
}

const document = JSON.parse(JSON.stringify(openApi({ maxBodyBytes: 12_345 })));
const paths: Record<string, Record<string, Operation>> = document.paths;
const operations = Object.entries(paths).flatMap(([path, { parameters: _, ...methods }]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

test('it is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(validator.version, '3.1');
});

test('every reference leads somewhere, and every schema is referred to', () => {
  const text = JSON.stringify(document);
  const named = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name);
  assert.deepEqual([...new Set(named)].sort(), Object.keys(document.components.schemas).sort());
});

test('its paths and methods are those that are served', () => {
  const served = routes.flatMap(({ path, methods }) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), served.sort());
});

test('every code of the contract stands at some operation, with its status and error_code', () => {
  const described = new Map<string, Set<string>>();
  for (const { operation } of operations) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      const { code, error_code: numbers } = content['application/json']?.schema.properties ?? {};
      if (Number(status) < 300 || !code) continue;
      for (const one of code.enum) described.set(one, new Set([...(described.get(one) ?? []), status]));
      const expected = errorTable.filter((row) => code.enum.includes(row.code)).map((row) => row.errorCode);
      assert.deepEqual([...(numbers?.enum ?? [])].sort(), [...new Set(expected)].sort());
    }
  }
  // Only other methods than the described ones meet these two.
  const rows = errorTable.filter(({ code }) => code !== 'METHOD_NOT_ALLOWED' && code !== 'UNKNOWN_ROUTE');
  assert.deepEqual(
    [...described].map(([code, statuses]) => `${code} ${[...statuses].join()}`).sort(),
    rows.map(({ code, status }) => `${code} ${status}`).sort(),
  );
});

test('every answer has both types and X-Request-Id, a retriable one Retry-After', () => {
  for (const { operation } of operations) {
    for (const [status, { headers, content }] of Object.entries(operation.responses)) {
      assert.deepEqual(Object.keys(content), ['application/json', 'application/vnd.kafka.v2+json']);
      const retriable = errorTable.some((row) => row.retriable && row.status === Number(status));
      assert.deepEqual(Object.keys(headers), ['X-Request-Id', ...(retriable ? ['Retry-After'] : [])]);
    }
  }
});

test('the limits are those of the code', () => {
  assert.match(document.info.description, /\b12345 bytes/);
  const { Records, BinaryRecords, TextRecords } = document.components.schemas;
  for (const { properties } of [Records, BinaryRecords, TextRecords]) {
    assert.equal(properties.records.maxItems, MAX_RECORDS);
    assert.equal(properties.records.minItems, 1);
  }
});

describe('the schema of a body says what the code says', () => {
  const record = (more: object) => ({ records: [{ value: 1, ...more }] });
  const bodies: [unknown, boolean][] = [
    [record({}), true],
    [{ records: [{}] }, true],
    [{ records: [] }, false],
    [{}, false],
    [[], false],
    [record({ partition: 0 }), true],
    [record({ partition: null }), true],
    [record({ partition: -1 }), false],
    [record({ partition: 1.5 }), false],
    [record({ partition: 2 ** 31 }), false],
    [record({ partition: '0' }), false],
    [record({ timestamp: 8_640_000_000_000_001 }), false],
    [record({ headers: [{ key: 'a', value: 'YQ==' }, { name: 'b', value: null }, { key: 'c' }] }), true],
    [record({ headers: [{ value: 'YQ==' }] }), false],
    [record({ headers: [{ key: 'a', name: 'b' }] }), false],
    [record({ offset: 1 }), false],
    [{ ...record({}), topic: 't', key_schema: null, value_schema_id: null }, true],
    [{ ...record({}), topic: null }, false],
    [{ ...record({}), value_schema: '{}' }, false],
    [{ ...record({}), more: 1 }, false],
  ];
  for (const [body, isValid] of bodies) {
    test(`${JSON.stringify(body)} is ${isValid ? '' : 'not '}valid`, async () => {
      assert.equal(v.safeParse(bodySchema, body).success, isValid);
      assert.equal(matches(document.components.schemas.Records, body), isValid);
    });
  }
});

/** As much of JSON Schema as the document uses for bodies. */
function matches(schema: Record<string, unknown>, value: unknown): boolean {
  const { type, anyOf, properties = {}, required = [], items, minItems = 0, maxItems = Infinity } = schema;
  const { minimum = -Infinity, maximum = Infinity, additionalProperties } = schema;
  if (Array.isArray(anyOf)) return anyOf.some((one) => matches(one, value));
  switch (type) {
    case 'object': {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
      const known = properties as Record<string, Record<string, unknown>>;
      return (
        (required as string[]).every((name) => name in value) &&
        Object.entries(value).every(([name, member]) =>
          known[name] ? matches(known[name], member) : additionalProperties !== false,
        )
      );
    }
    case 'array':
      return (
        Array.isArray(value) &&
        value.length >= Number(minItems) &&
        value.length <= Number(maxItems) &&
        value.every((item) => matches(items as Record<string, unknown>, item))
      );
    case 'integer':
      return Number.isInteger(value) && Number(value) >= Number(minimum) && Number(value) <= Number(maximum);
    case 'null':
      return value === null;
    case 'string':
      return typeof value === 'string';
    default:
      return true;
  }
}
