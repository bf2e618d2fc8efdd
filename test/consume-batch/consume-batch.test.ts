// Everything that one broker is enough for, in one process, so that the cases share it.
import './fetching.cases.ts';
import './pull.cases.ts';
import './dead-letters.cases.ts';
import './http-sink.cases.ts';
import './topic-sink.cases.ts';
import './interop.cases.ts';
import './replay.cases.ts';
import './front-door.cases.ts';
import './kill.cases.ts';
import './pipeline.cases.ts';
import './waiting.cases.ts';
import './following.cases.ts';
