export * from '../pipeline/handle-record.ts';
