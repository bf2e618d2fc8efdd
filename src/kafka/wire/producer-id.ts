import initProducerId from 'kafkajs/src/protocol/requests/initProducerId/index.js';
import { kafkajsRequest } from './request.ts';

/** Asks for a producer id, which takes the right to publish idempotently. */
export const producerIdRequest = () => kafkajsRequest(initProducerId, {});
