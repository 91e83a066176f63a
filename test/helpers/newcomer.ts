/** What somebody answers `init` who has six machines in a network at home. */
export const answers = (tarball: string): string[] =>
  Object.entries({
    name: 'home',
    cidr: '192.168.10.0/24',
    vlan: '10',
    domain: 'home.example.org',
    asn: '64513',
    pods: '10.42.0.0/16',
    services: '10.43.0.0/16',
    'lb-pool': '192.168.11.0/24',
    git: 'ssh://git@github.com/acme/clusters.git',
    package: tarball,
    recipient: 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p',
  }).flatMap(([flag, value]) => [`--${flag}`, value])
