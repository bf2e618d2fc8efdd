export * from '../pipeline/resources.ts';
