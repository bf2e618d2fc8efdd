/** A release whose brokers keep their metadata in ZooKeeper. The current version is in pom.xml. */
export interface OldRelease {
  /** The version of Scala that its jar is built for. */
  scala: string;
  /** The release's own version, or the first that runs on Java 17. */
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
