import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import * as v from 'valibot';
import { bodySchema, MAX_RECORDS } from '../../functions/produce/formats/rest-proxy.ts';
import { openApi } from '../../functions/produce/openapi.ts';
import { allRoutes } from '../../src/http/routes.ts';
import { errorTable } from '../support/errors.ts';

interface Operation {
  responses: Record<string, { description: string; headers: object; content: object }>;
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
  const served = allRoutes.flatMap(([path, { needs, isServers }]) =>
    isServers ? [] : Object.keys(needs).map((method) => `${method} ${path}`),
  );
  assert.deepEqual(operations.map(({ method, path }) => `${method} ${path}`).sort(), served.sort());
});

test('every code of the contract stands at some operation, with its status and error_code', () => {
  const described = new Set<string>();
  for (const { operation } of operations) {
    for (const [status, { description }] of Object.entries(operation.responses)) {
      if (Number(status) < 300) continue;
      for (const code of description.split(', ')) described.add(`${status} ${code}`);
    }
  }
  // Only other methods than the described ones meet these two.
  const rows = errorTable.filter(({ code }) => code !== 'METHOD_NOT_ALLOWED' && code !== 'UNKNOWN_ROUTE');
  assert.deepEqual(
    [...described].sort(),
    rows.map(({ code, status, errorCode }) => `${status} ${code} (${errorCode})`).sort(),
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
  const { JsonRecords, BinaryRecords, TextRecords } = document.components.schemas;
  for (const { properties } of [JsonRecords, BinaryRecords, TextRecords]) {
    assert.equal(properties.records.maxItems, MAX_RECORDS);
    assert.equal(properties.records.minItems, 1);
  }
});

const isRecords = new Ajv2020({ strict: false }).addSchema(document, 'openapi').compile({
  $ref: 'openapi#/components/schemas/JsonRecords',
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
    [
      record({
        headers: [
          { key: 'a', value: 'YQ==' },
          { key: 'b', value: null },
        ],
      }),
      true,
    ],
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
      assert.equal(isRecords(body), isValid);
    });
  }
});
