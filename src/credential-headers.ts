/**
 * What request headers that carry credentials have in their names, as gateways, clouds and senders call them:
 * X-Auth-Token, X-Apig-AppCode, X-Amz-Security-Token, X-Amzn-Oidc-Data, Cf-Access-Jwt-Assertion, X-Functions-Key,
 * X-Gitlab-Token, X-Hook-Secret. A signature proves a body and opens nothing, so it isn't one.
 */
const CREDENTIAL =
  /(^|-)auth$|authori[sz]ation|authentication|cookie|token|secret|passw|credential|session|assertion|jwt|oidc|app-?code|(access|api|app|auth|functions|shared|subscription)-?key/;

/** Does a request header of this name, in lower case, carry a credential? */
export function isCredentialHeader(name: string): boolean {
  return CREDENTIAL.test(name);
}
