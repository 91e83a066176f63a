/**
 * The real etcd members, one process per control plane, with the certificates of the applied machine config. They listen
 * on the lab's base address and never on a machine's: what a client of the cluster sees of etcd is the Talos API.
 */
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type KeptRunning, keepRunning } from '../children.ts'
import type { EtcdMember, Lab, Machine, MachineConfig, Recovery } from '../types.ts'
import { etcdArgs } from './components.ts'
import { issueAccess } from './etcd-access.ts'
import { type EtcdClient, etcdClient, type ListedMember } from './etcd-api.ts'
import { restoreSnapshot } from './etcd-restore.ts'

export interface EtcdState {
  phase: 'waiting' | 'joining' | 'running' | 'stopped'
  healthy: boolean
  message: string
}

export interface Etcd {
  /** The data directory of this machine isn't empty. */
  hasData(machine: Machine): boolean
  /** A new cluster of this one member. */
  bootstrap(machine: Machine, recovery?: Recovery): Promise<void>
  /** With data it starts again; without, it joins as soon as another member runs (asked again by every call). */
  start(machine: Machine): Promise<void>
  stop(machine: Machine): Promise<void>
  wipe(machine: Machine): Promise<void>
  member(machine: Machine): EtcdMember | undefined
  state(machine: Machine): EtcdState
  /** Raises or takes back an alarm through this machine's member. @returns the id of the member that it is about */
  alarm(
    machine: Machine,
    action: 'ACTIVATE' | 'DEACTIVATE',
    alarm: 'NOSPACE' | 'CORRUPT',
    memberId?: string,
  ): Promise<string>
  /** Ports of the voting members that run, healthy ones first: where the API server's connections go. */
  livePorts(): number[]
}

interface Member {
  machine: Machine
  process: KeptRunning
  client: EtcdClient
  access: EtcdMember
  healthy: boolean
  /** Answers health checks like a voter, and refuses an API server's calls ("rpc not supported for learner"). */
  learner: boolean
}

const joinDeadlineMs = 120_000
const retryMs = 200
const joinAgainMs = 500

/**
 * @param isUp whether a machine runs now; it may have gone away while its certificates were being made
 * @param changed called whenever a member starts, gets healthy or stops
 */
export function createEtcd(lab: Lab, isUp: (machine: Machine) => boolean, changed: () => void): Etcd {
  const { spec } = lab
  const members = new Map<string, Member>()
  const joining = new Set<string>()
  /** Between the decision and the process: two decisions must not start two processes on one data directory. */
  const starting = new Set<string>()
  // Talos' own members join one at a time too: etcd takes one learner at once.
  let queue: Promise<void> = Promise.resolve()
  let refusal = ''

  const dataDir = (machine: Machine) => join(spec.dir, 'etcd', machine.spec.address)
  const ports = (machine: Machine) => {
    const client = 2310 + 2 * spec.machines.findIndex(({ address }) => address === machine.spec.address)
    return { client, peer: client + 1 }
  }
  const peerUrl = (machine: Machine) => `https://${spec.base}:${ports(machine).peer}`
  const initialCluster = (machine: Machine) => `${configOf(machine).hostname}=${peerUrl(machine)}`
  const hasData = (machine: Machine) => existsSync(join(dataDir(machine), 'member'))
  /** Who takes calls, healthy ones first. */
  const voters = () =>
    [...members.values()].filter(({ learner }) => !learner).sort((a, b) => Number(b.healthy) - Number(a.healthy))
  const healthyVoter = () => {
    const voter = voters().find(({ healthy }) => healthy)
    if (!voter) throw new Error('no voting member is healthy')
    return voter
  }

  const run = async (
    machine: Machine,
    cluster: { initial: string; state: 'new' | 'existing'; learner?: boolean },
  ): Promise<Member> => {
    const config = configOf(machine)
    const pki = join(spec.dir, 'pki', 'etcd', machine.spec.address)
    const access = await issueAccess(config, pki, spec.base, `https://${spec.base}:${ports(machine).client}`)
    const args = etcdArgs(spec.base, config, { ...ports(machine), dataDir: dataDir(machine), pki, ...cluster })
    if (!isUp(machine)) throw new Error(`${config.hostname} went away`)
    const name = `etcd-${config.hostname}`
    const process = keepRunning(
      () => lab.spawn(name, toolPath(lab, 'etcd'), args),
      ({ code, signal }, restartMs) =>
        lab.log(name, `ended (${signal ?? `exit ${code}`}), starts again in ${restartMs} ms`),
    )
    const { learner = false } = cluster
    const member = { machine, process, client: etcdClient(access), access, healthy: false, learner }
    members.set(machine.spec.address, member)
    changed()
    return member
  }

  /** Runs `begin` unless this machine's member is there or on its way. */
  const once = async (machine: Machine, begin: () => Promise<unknown>) => {
    const { address } = machine.spec
    if (members.has(address) || starting.has(address)) return
    starting.add(address)
    try {
      await begin()
    } finally {
      starting.delete(address)
    }
  }

  const restore = (machine: Machine, recovery: Recovery) =>
    restoreSnapshot(toolPath(lab, 'etcdutl'), recovery, {
      dataDir: dataDir(machine),
      name: configOf(machine).hostname,
      token: configOf(machine).clusterName,
      peerUrl: peerUrl(machine),
    })

  const stop = async (machine: Machine) => {
    const member = members.get(machine.spec.address)
    if (!member) return
    members.delete(machine.spec.address)
    await member.process.stop('SIGKILL')
    member.client.close()
    changed()
  }

  /** One attempt to become a voting member of the cluster. */
  const join_ = async (machine: Machine) => {
    const { hostname } = configOf(machine)
    const other = healthyVoter()
    // A member of the same name is this machine's former self: Talos removes it (services/etcd.go addMember, v1.12.0).
    // One that was added and never started (the machine went away in between) has no name yet, but this peer URL.
    const isFormer = ({ name, peerURLs }: ListedMember) => name === hostname || peerURLs.includes(peerUrl(machine))
    for (const former of (await other.client.members()).filter(isFormer)) await other.client.remove(former.ID)
    const id = await other.client.addLearner(peerUrl(machine))
    const listed = await other.client.members()
    const initial = listed
      .filter((member) => member.ID === id || member.name)
      .flatMap((member) => member.peerURLs.map((url) => `${member.ID === id ? hostname : member.name}=${url}`))
      .join(',')
    const member = await run(machine, { initial, state: 'existing', learner: true })
    await promote(member, id)
  }

  /** Through whichever voter is well: the one that let it in may have gone away since. */
  const promote = async (member: Member, id: string) => {
    const { address } = member.machine.spec
    let deadline = Date.now() + joinDeadlineMs
    for (;;) {
      if (lab.faults.active('etcd-learner-stuck', address)) {
        if (members.get(address) !== member) throw new Error('it went away as a learner')
        deadline = Date.now() + joinDeadlineMs
        await delay(retryMs)
        continue
      }
      try {
        const { client } = healthyVoter()
        // The answer to the last attempt may have been lost with the voter that gave it.
        const isLearner = (await client.members()).some((listed) => listed.ID === id && listed.isLearner)
        if (isLearner) await client.promote(id)
        member.learner = false
        break
      } catch (error) {
        // Refused until the learner has caught up with the leader.
        if (Date.now() > deadline || members.get(address) !== member) throw error
        await delay(retryMs)
      }
    }
  }

  /** A member that went away as a learner comes back as one; Talos' etcd service promotes it then. */
  const promoteLearner = async (member: Member) => {
    const { address } = member.machine.spec
    const { id, learner } = await member.client.self()
    member.learner = learner
    if (!learner || members.get(address) !== member) return
    await promote(member, id)
    changed()
  }

  const joinWhenPossible = async (machine: Machine) => {
    const { address } = machine.spec
    if (!voters().some(({ healthy }) => healthy)) return
    if (members.has(address) || joining.has(address) || starting.has(address)) return
    joining.add(address)
    queue = queue
      .then(() => join_(machine))
      .catch(async (error: Error) => {
        // For five seconds after a member came etcd takes no other ("unhealthy cluster"); Talos asks again, too.
        if (error.message !== refusal)
          lab.log('etcd', `${machine.config?.hostname} could not join yet: ${error.message}`)
        refusal = error.message
        await delay(joinAgainMs)
      })
      .finally(() => {
        joining.delete(address)
        changed()
      })
    await queue
  }

  /** Health changes without any event of ours (a lost quorum), so it is asked for while members run. */
  const probe = async () => {
    await Promise.all(
      [...members.values()].map(async (member) => {
        const healthy = await member.client.healthy()
        const { address } = member.machine.spec
        if (healthy === member.healthy || members.get(address) !== member) return
        member.healthy = healthy
        changed()
        if (healthy && !joining.has(address))
          void promoteLearner(member).catch((error: Error) => lab.log('etcd', `${address}: ${error.message}`))
      }),
    )
  }
  const probing = async () => {
    for (;;) {
      await probe()
      const settled = [...members.values()].every((member) => member.healthy)
      await delay(settled ? 5_000 : retryMs, undefined, { ref: false })
    }
  }
  void probing()

  return {
    hasData,
    bootstrap: (machine, recovery) =>
      once(machine, async () => {
        if (recovery) await restore(machine, recovery)
        else await mkdir(dataDir(machine), { recursive: true, mode: 0o700 })
        await run(machine, { initial: initialCluster(machine), state: 'new' })
      }),
    async start(machine) {
      if (!hasData(machine)) return joinWhenPossible(machine)
      // A former member: with data on disk etcd ignores what it is told about the initial cluster.
      await once(machine, () => run(machine, { initial: initialCluster(machine), state: 'existing' }))
    },
    stop,
    async wipe(machine) {
      await stop(machine)
      await rm(dataDir(machine), { recursive: true, force: true })
    },
    member: (machine) => members.get(machine.spec.address)?.access,
    state(machine) {
      const member = members.get(machine.spec.address)
      if (joining.has(machine.spec.address))
        return { phase: 'joining', healthy: false, message: 'Joining the etcd cluster' }
      if (!member) {
        return hasData(machine)
          ? { phase: 'stopped', healthy: false, message: 'Stopped' }
          : { phase: 'waiting', healthy: false, message: 'Waiting for etcd to be bootstrapped' }
      }
      const message = member.healthy ? 'Health check successful' : 'context deadline exceeded'
      return { phase: 'running', healthy: member.healthy, message }
    },
    async alarm(machine, action, alarm, memberId) {
      const client = members.get(machine.spec.address)?.client
      if (!client) throw new Error(`etcd of ${machine.config?.hostname} doesn't run`)
      const id = memberId ?? (await client.self()).id
      await client.alarm(action, id, alarm)
      return id
    },
    livePorts: () => voters().map(({ machine }) => ports(machine).client),
  }
}

function configOf(machine: Machine): MachineConfig {
  if (!machine.config) throw new Error(`machine ${machine.spec.address} has no config`)
  return machine.config
}

export function toolPath(lab: Lab, name: string): string {
  const path = lab.spec.tools[name]
  if (!path) throw new Error(`the lab was started without ${name}`)
  return path
}
