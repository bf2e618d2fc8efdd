/** What a user of openapi-generator's typescript-fetch client writes: prints what came of it as JSON. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { Configuration, DefaultApi, ResponseError } = await import(
  pathToFileURL(join(process.argv[2], 'index.ts')).href
);
const { URL: basePath, KEY: apiKey, TOPIC: topic } = process.env;
const api = new DefaultApi(new Configuration({ basePath, apiKey }));
const records = [
  { key: 'k', value: { n: 1 }, headers: [{ key: 'h', value: 'YQ==' }] },
  { key: 'k', value: null },
];
const published = await api.publish({ topic, jsonRecords: { records } });
const body = new Blob([Buffer.from('00ff686f6f6b', 'hex')]);
const webhook = await api.publishWebhook({ topic, key: 'k', body });
const refusal = await api
  .publish({ topic: `${topic}-missing`, jsonRecords: { records } })
  .then(() => null)
  .catch(async (error) => {
    if (!(error instanceof ResponseError)) throw error;
    return [error.response.status, (await error.response.json()).code];
  });
console.log(
  JSON.stringify({
    offsets: published.offsets.map(({ offset }) => offset),
    webhook: webhook.offsets[0].offset,
    refusal,
    isListed: (await api.listTopics()).includes(topic),
    partitions: (await api.getTopic({ topic })).partitions.length,
    health: (await api.getReadiness()).status,
  }),
);
