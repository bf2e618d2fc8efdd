// stdout and stderr of a function instance: whole lines, each tagged with the request id, as the platform
// does by replacing `write`. What goes straight to file descriptor 1 bypasses this, there and here.
'use strict';

/** Replaces both `write` methods. `emit` gets each tagged line without its line end. */
exports.tagOutput = (emit) => {
  let requestId = '-';
  let rest = '';

  const write = (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) emit(`${requestId} ${line}`);
  };

  for (const stream of [process.stdout, process.stderr]) {
    stream.write = (chunk, encoding, callback) => {
      write(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString());
      const done = typeof encoding === 'function' ? encoding : callback;
      if (typeof done === 'function') process.nextTick(done);
      return true;
    };
  }

  return {
    write,
    setRequestId(id) {
      requestId = id;
    },
    /** Emits a last line that has no line end yet. */
    flush() {
      if (rest !== '') write('\n');
    },
  };
};
