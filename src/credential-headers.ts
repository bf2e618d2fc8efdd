/**
 * Parts of the names of request headers that carry credentials at gateways, clouds and senders: X-Auth-Token,
 * X-Apig-AppCode, X-Amz-Security-Token, X-Amzn-Oidc-Data, Cf-Access-Jwt-Assertion, X-Functions-Key, X-Gitlab-Token,
 * X-Hook-Secret. A signature is not a credential: it proves a body and opens nothing.
 */
const CREDENTIAL =
  /(^|-)auth$|authori[sz]ation|authentication|cookie|token|secret|passw|credential|session|assertion|jwt|oidc|app-?code|(access|api|app|auth|functions|shared|subscription)-?key/;

/** Whether a request header of this name, in lower case, carries a credential. */
export function isCredentialHeader(name: string): boolean {
  return CREDENTIAL.test(name);
}
