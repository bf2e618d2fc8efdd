/** RFC 3986, appendix A, with the path in one piece. `/` and `?` are added to the characters of a segment. */
const PLAIN = "[\\w.~!$&'()*+,;=-]|%[\\da-f]{2}";
const IP_LITERAL = "\\[(?:[\\da-f:.]+|v[\\da-f]+\\.[\\w.~!$&'()*+,;=:-]+)\\]";
const AUTHORITY = `(?:(?:${PLAIN}|:)*@)?(?:${IP_LITERAL}|(?:${PLAIN})*)(?::\\d*)?(?=[/?#]|$)`;
const BEHIND_SCHEME = `(?://${AUTHORITY}|(?!//))(?:${PLAIN}|[:@/])*(?:\\?(?:${PLAIN}|[:@/?])*)?(?:#(?:${PLAIN}|[:@/?])*)?$`;
const SCHEME = '[a-z][a-z\\d+.-]*:';

/** With its scheme. */
export const URI = new RegExp(`^${SCHEME}${BEHIND_SCHEME}`, 'i');
/** With or without a scheme, and not empty. A relative one has no colon that looks like a scheme's. */
export const URI_REFERENCE = new RegExp(`^(?!$)(?:${SCHEME}|(?![^/?#]*:))${BEHIND_SCHEME}`, 'i');
