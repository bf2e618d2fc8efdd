/** The driver's client alone, for which `@types/pg` has no module. */
declare module 'pg/lib/client.js' {
  import { Client } from 'pg';
  export default Client;
}
