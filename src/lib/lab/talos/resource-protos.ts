/** Specs as bytes, for the types that talosctl unmarshals (`upgrade-k8s` does; `get` shows the YAML of every type). */
import { parse } from 'yaml'
import { encodeMessage } from './protocol.ts'

type Fields = { [key: string]: unknown }

/** Type -> message and how its fields come out of the YAML spec. */
const typed: Record<string, { message: string; fields: (yaml: string) => Fields }> = {
  'MachineConfigs.config.talos.dev': {
    message: 'MachineConfigSpec',
    // Its spec is the config's text itself.
    fields: (yaml) => ({ yamlMarshalled: Buffer.from(String(parse(yaml))) }),
  },
  'Services.v1alpha1.talos.dev': { message: 'ServiceSpec', fields: fieldsOf },
  'APIServerConfigs.kubernetes.talos.dev': {
    message: 'APIServerConfigSpec',
    fields: (yaml) => renamed(fieldsOf(yaml), { serviceCIDRs: 'serviceCidRs' }),
  },
  'ControllerManagerConfigs.kubernetes.talos.dev': {
    message: 'ControllerManagerConfigSpec',
    fields: (yaml) => renamed(fieldsOf(yaml), { podCIDRs: 'podCidRs', serviceCIDRs: 'serviceCidRs' }),
  },
  'SchedulerConfigs.kubernetes.talos.dev': { message: 'SchedulerConfigSpec', fields: fieldsOf },
  'KubeletSpecs.kubernetes.talos.dev': { message: 'KubeletSpecSpec', fields: fieldsOf },
  'StaticPods.kubernetes.talos.dev': {
    message: 'StaticPodSpec',
    fields: (yaml) => ({ pod: structOf(fieldsOf(yaml)) }),
  },
  'Manifests.kubernetes.talos.dev': {
    message: 'ManifestSpec',
    fields: (yaml) => ({ items: (parse(yaml) as Fields[]).map((object) => ({ object: structOf(object) })) }),
  },
}

/** The bytes of a resource's spec, or undefined for a type that nobody unmarshals. */
export function protoSpec(type: string, yaml: string): Buffer | undefined {
  const known = typed[type]
  return known && encodeMessage(`lab.resource.${known.message}`, known.fields(yaml))
}

function fieldsOf(yaml: string): Fields {
  return parse(yaml) as Fields
}

function renamed(fields: Fields, names: Record<string, string>): Fields {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [names[name] ?? name, value]))
}

/** google.protobuf.Struct of a plain object. */
function structOf(value: Fields): object {
  return { fields: Object.fromEntries(Object.entries(value).map(([key, field]) => [key, protoValue(field)])) }
}

function protoValue(value: unknown): object {
  if (value === null || value === undefined) return { nullValue: 0 }
  if (Array.isArray(value)) return { listValue: { values: value.map(protoValue) } }
  switch (typeof value) {
    case 'object':
      return { structValue: structOf(value as Fields) }
    case 'number':
      return { numberValue: value }
    case 'boolean':
      return { boolValue: value }
    default:
      return { stringValue: String(value) }
  }
}
