/** RFC 3986, appendix A, with the path in one piece; `/` and `?` are added to the characters of a segment. */
const PLAIN = "[\\w.~!$&'()*+,;=-]|%[\\da-f]{2}";
const IP_LITERAL = "\\[(?:[\\da-f:.]+|v[\\da-f]+\\.[\\w.~!$&'()*+,;=:-]+)\\]";
const AUTHORITY = `(?:(?:${PLAIN}|:)*@)?(?:${IP_LITERAL}|(?:${PLAIN})*)(?::\\d*)?(?=[/?#]|$)`;
const BEHIND_SCHEME = `(?://${AUTHORITY}|(?!//))(?:${PLAIN}|[:@/])*(?:\\?(?:${PLAIN}|[:@/?])*)?(?:#(?:${PLAIN}|[:@/?])*)?$`;
const SCHEME = '[a-z][a-z\\d+.-]*:';

/** With its scheme. */
export const URI = new RegExp(`^${SCHEME}${BEHIND_SCHEME}`, 'i');
/** With its scheme, or relative, where no colon may look like a scheme's; not empty. */
export const URI_REFERENCE = new RegExp(`^(?!$)(?:${SCHEME}|(?![^/?#]*:))${BEHIND_SCHEME}`, 'i');
