/**
 * An old release, whose brokers keep what they know in ZooKeeper. The embedded Kafka's own version stands in
 * pom.xml.
 */
export interface OldRelease {
  /** Of the Scala library that its jar is built for. */
  scala: string;
  /** What the release itself brings, or the first version that runs on Java 17. */
  zookeeper: string;
  authorizer: string;
}

export const oldReleases = {
  '2.3.1': {
    scala: '2.12',
    zookeeper: '3.5.9',
    authorizer: 'kafka.security.auth.SimpleAclAuthorizer',
  },
  '2.7.2': {
    scala: '2.13',
    zookeeper: '3.5.9',
    authorizer: 'kafka.security.authorizer.AclAuthorizer',
  },
  '3.4.1': {
    scala: '2.13',
    zookeeper: '3.6.4',
    authorizer: 'kafka.security.authorizer.AclAuthorizer',
  },
} as const satisfies Record<string, OldRelease>;

export type OldVersion = keyof typeof oldReleases;
