import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { UnreachableError, UsageError } from '../../lib/errors.ts'
import { type ConfigFormat, configFormats, renderConfig, secretKey, secretsOf } from '../../lib/ops/platform-config.ts'
import { connectionTo, connectKinds } from '../../lib/ops/platform-connect.ts'
import { connectServices } from '../../lib/ops/platform-connection.ts'
import { readPlatform } from '../../lib/ops/platform-facts.ts'
import type { KubePort } from '../../lib/types.ts'

export const platformConnect = defineCommand({
  path: 'platform connect',
  summary: "Print addresses and a client's configuration for a service of the platform",
  description:
    'What a program needs to use kafka, postgres, schema-registry, keycloak, openbao or s3: addresses, and settings as a Spring Boot application.yaml, as properties, or as environment variables. Passwords stay where they are unless --show-secrets asks for them.',
  effect: 'read',
  scope: 'cluster',
  args: { service: connectServices.join(', ') },
  completeArgs: { service: () => [...connectServices] },
  options: [
    { flags: '--as <format>', description: 'form of the settings', default: 'spring', choices: [...configFormats] },
    { flags: '--name <name>', description: 'which KafkaUser, Database or client, where there are several' },
    { flags: '--external', description: 'for a program outside of the cluster', default: false },
    { flags: '--show-secrets', description: 'also print passwords, read through the API', default: false },
  ],
  examples: [
    'k8sops platform connect kafka --cluster infra --name arsipq',
    'k8sops platform connect postgres --as env --show-secrets > .env',
    'k8sops platform connect keycloak --external -o json',
  ],
  runbook: 'docs/developer-guide.md',
  async read({ args, options, kube, signal }) {
    const service = connectServices.find((one) => one === args.service)
    if (!service) throw new UsageError(`${args.service} is no service: ${connectServices.join(', ')}`)
    const port = await kube()
    const facts = await readPlatform(port, signal, connectKinds[service])
    const unread = Object.values(facts).find((one) => !one.ok)
    if (unread && !unread.ok) throw new UnreachableError(unread.detail)
    const connection = connectionTo(service, facts, {
      external: options.external === true,
      name: textOption(options.name),
    })
    const secrets = new Map<string, string>()
    if (options.showSecrets === true)
      for (const reference of secretsOf(connection)) {
        const value = await readSecret(port, reference, signal)
        secrets.set(secretKey(reference), value)
      }
    const { object, addresses, settings, notes } = connection
    return {
      kind: 'PlatformConnection',
      fields: {
        service,
        object,
        addresses,
        notes,
        settings: settings.map(({ spring, env, value }) => ({
          spring,
          env,
          ...(typeof value === 'string'
            ? { value }
            : { secret: { ...value }, value: secrets.get(secretKey(value)) ?? null }),
        })),
      },
      text: renderConfig(connection, String(options.as) as ConfigFormat, secrets),
    }
  },
})

async function readSecret(
  kube: KubePort,
  { namespace, name, key }: { namespace: string; name: string; key: string },
  signal: AbortSignal,
): Promise<string> {
  const found = await kube.list({ apiVersion: 'v1', kind: 'Secret', namespace, name }, signal)
  if (!found.ok) throw new UnreachableError(`Secret ${namespace}/${name}: ${found.detail}`)
  const value = found.value[0]?.data?.[key]
  if (value === undefined)
    throw new UsageError(`Secret ${namespace}/${name} has no key ${key}`, {
      next: `kubectl -n ${namespace} get secret ${name}`,
    })
  return Buffer.from(value, 'base64').toString('utf8')
}
