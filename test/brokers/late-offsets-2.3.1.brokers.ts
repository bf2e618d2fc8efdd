import { lateOffsets } from './late-offsets.ts';

await lateOffsets('2.3.1');
