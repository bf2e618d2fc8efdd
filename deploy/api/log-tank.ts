import { ApiClient, type ClientOptions } from './client.ts';
import { list, object, text } from './records.ts';

export interface LogLine {
  content: string;
  /** Its place in the stream: later lines have larger ones. */
  lineNumber: string;
}

export interface LogQuery {
  groupId: string;
  streamId: string;
  /** Epoch milliseconds. */
  from: number;
  to: number;
  keywords?: string | undefined;
}

export interface LogLines {
  lines: LogLine[];
  /** False if the service stopped before it had searched everything, or there are more than 10,000 lines. */
  complete: boolean;
}

const PAGE_SIZE = 500;
const MAX_PAGES = 20;

/** Log Tank Service, which keeps the functions' logs. */
export class LogTank {
  readonly #client: ApiClient;

  constructor(options: Omit<ClientOptions, 'service'> & { projectId: string }) {
    this.#client = new ApiClient({ ...options, service: 'lts' });
  }

  /** At most 10,000 lines between `from` and `to`, oldest first. */
  async query({ groupId, streamId, from, to, keywords }: LogQuery): Promise<LogLines> {
    const lines: LogLine[] = [];
    const path = `/v2/{project_id}/groups/${groupId}/streams/${streamId}/content/query`;
    const search = {
      start_time: String(from),
      end_time: String(to),
      limit: PAGE_SIZE,
      // Otherwise each hit is wrapped in a tag.
      ...(keywords ? { keywords, highlight: false } : {}),
    };
    let scrollId: string | undefined;
    for (let page = 0; page < MAX_PAGES; page++) {
      const last = lines.at(-1);
      const position = {
        ...(last ? { line_num: last.lineNumber, search_type: 'forwards' } : {}),
        ...(scrollId === undefined ? {} : { scroll_id: scrollId }),
      };
      const body = { ...search, ...position };
      const answer = object(await this.#client.call({ method: 'POST', path, body, repeatable: true }));
      scrollId = text(answer.scroll_id);
      const found = list(answer.logs).map(object);
      lines.push(
        ...found.map(({ content, line_num }) => ({
          content: text(content) ?? '',
          lineNumber: String(line_num),
        })),
      );
      if (answer.isQueryComplete !== false && found.length < PAGE_SIZE) return { lines, complete: true };
    }
    return { lines, complete: false };
  }
}
