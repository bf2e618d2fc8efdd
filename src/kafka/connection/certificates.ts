/** Set by the build to the PEM text of what lies in `certificates/`. */
declare const BUNDLED_CERTIFICATES: string | undefined;

/** The CA certificates that this bundle trusts, as PEM; empty where the build found none. */
export const bundledCertificates: string =
  typeof BUNDLED_CERTIFICATES === 'string' ? BUNDLED_CERTIFICATES : '';
