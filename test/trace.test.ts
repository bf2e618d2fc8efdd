import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { traceOf } from '../src/trace.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const parent = '00f067aa0ba902b7';
const traceparent = `00-${traceId}-${parent}-01`;
const stateOf = (tracestate: string) => traceOf({ traceparent, tracestate })?.tracestate;

describe('traceparent', () => {
  test('the example of the specification', () => {
    assert.deepEqual(traceOf({ traceparent }), { traceparent, tracestate: undefined, traceId });
  });

  for (const good of [
    `00-${traceId}-${parent}-00`,
    `00-${traceId}-${parent}-ff`,
    `01-${traceId}-${parent}-01`,
    `fe-${traceId}-${parent}-01`,
    `cc-${traceId}-${parent}-01-what-the-future-will-be-like`,
    `cc-${traceId}-${parent}-01-`,
    `01-${traceId}-${parent}-01-${'x'.repeat(512 - 56)}`,
  ]) {
    test(`valid: ${good.slice(0, 80)}`, () => {
      assert.deepEqual(traceOf({ traceparent: good }), { traceparent: good, tracestate: undefined, traceId });
    });
  }

  for (const bad of [
    '',
    '00',
    ` ${traceparent}`,
    `${traceparent} `,
    `${traceparent}\n`,
    `${traceparent}-`,
    `${traceparent}-00`,
    `${traceparent}, ${traceparent}`,
    `00-${traceId}-${parent}`,
    `00-${traceId}-${parent}-1`,
    `00-${traceId}-${parent}-1z`,
    `00-${traceId.toUpperCase()}-${parent}-01`,
    `00-${traceId}-${parent.toUpperCase()}-01`,
    `00-${traceId}-${parent}-0A`,
    `00-${traceId.slice(1)}-${parent}-01`,
    `00-${traceId}0-${parent}-01`,
    `00-${traceId}-${parent}0-01`,
    `00-${traceId.replace('4', 'g')}-${parent}-01`,
    `00-${'0'.repeat(32)}-${parent}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `01-${'0'.repeat(32)}-${parent}-01`,
    `ff-${traceId}-${parent}-01`,
    `0-${traceId}-${parent}-01`,
    `0g-${traceId}-${parent}-01`,
    `01-${traceId}-${parent}-01x`,
    `01-${traceId}-${parent}-01.x`,
    `01-${traceId}-${parent}-01-a b`,
    `01-${traceId}-${parent}-01-\u001b[2J`,
    `01-${traceId}-${parent}-01-é`,
    `01-${traceId}-${parent}-01-${'x'.repeat(512 - 55)}`,
    `00_${traceId}_${parent}_01`,
  ]) {
    test(`none: ${JSON.stringify(bad).slice(0, 80)}`, () => {
      assert.equal(traceOf({ traceparent: bad, tracestate: 'a=1' }), undefined);
    });
  }

  test('without it, a tracestate is nothing', () => {
    assert.equal(traceOf({}), undefined);
    assert.equal(traceOf({ tracestate: 'a=1' }), undefined);
  });
});

describe('tracestate', () => {
  const members = (count: number) => Array.from({ length: count }, (_, n) => `k${n}=1`).join(',');
  const ofLength = (length: number) => {
    const value = 'v'.repeat(200);
    return `a=${value},b=${value},c=${'v'.repeat(length - 2 * 203 - 2)}`;
  };

  for (const good of [
    'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    'a=1',
    'a=1, b=2',
    'a=1 \t,\t b=2',
    'a=1,,b=2,',
    'fw529a3039@dt=FfffffffZjA4Mzk1MDg3NDk5NDQ0NDA',
    '0a/b_c-d*e=x y',
    `${'k'.repeat(256)}=v`,
    `a=${'v'.repeat(256)}`,
    members(32),
    ofLength(512),
  ]) {
    test(`kept whole: ${good.slice(0, 60)}`, () => assert.equal(stateOf(good), good));
  }

  for (const bad of [
    '',
    ' ',
    ',',
    'a',
    'a=',
    '=1',
    'A=1',
    'a =1',
    'a=1=2',
    'a=\u0000',
    'a=é',
    'a=1\r\nb=2',
    'a=\u001b[2J',
    '@a=1',
    'a=1,b',
    `${'k'.repeat(257)}=v`,
    `a=${'v'.repeat(257)}`,
    members(33),
    ofLength(513),
    'a=1,'.repeat(1_000_000),
  ]) {
    test(`left out, while the trace stays: ${JSON.stringify(bad).slice(0, 60)}`, () => {
      assert.deepEqual(traceOf({ traceparent, tracestate: bad }), {
        traceparent,
        tracestate: undefined,
        traceId,
      });
    });
  }
});
