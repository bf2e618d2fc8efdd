/** The build sets it to the PEM text of the files in `certificates/`. */
declare const BUNDLED_CERTIFICATES: string | undefined;

/** The CA certificates that this bundle trusts, as PEM; empty where the build found none. */
export const bundledCertificates: string =
  typeof BUNDLED_CERTIFICATES === 'string' ? BUNDLED_CERTIFICATES : '';
