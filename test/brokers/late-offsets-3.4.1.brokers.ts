import { lateOffsets } from './late-offsets.ts';

await lateOffsets('3.4.1');
