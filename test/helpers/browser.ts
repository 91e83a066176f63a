/**
 * A real browser, to look at what is made for one: Chromium's headless shell, which the npm package @sparticuz/chromium carries whole
 * (75 MB). Debian's package would have to be installed as root, on every machine that runs the tests.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createBrotliDecompress } from 'node:zlib'

const packed = join(dirname(fileURLToPath(import.meta.resolve('@sparticuz/chromium'))), '../bin')

/** Unpacked once a machine: two hundred megabytes, five seconds. */
async function unpacked(): Promise<string> {
  const { version } = JSON.parse(readFileSync(join(packed, '../package.json'), 'utf8')) as { version: string }
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'k8sops', 'browser')
  const home = join(cache, version)
  if (existsSync(home)) return home
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(cache, 'unpacking-'))
  await pipeline(
    createReadStream(join(packed, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(join(made, 'chromium'), { mode: 0o755 }),
  )
  for (const name of ['al2023', 'fonts', 'swiftshader']) {
    const archive = join(made, `${name}.tar`)
    await pipeline(
      createReadStream(join(packed, `${name}.tar.br`)),
      createBrotliDecompress(),
      createWriteStream(archive),
    )
    execFileSync('tar', ['-xf', archive, '-C', made])
    rmSync(archive)
  }
  try {
    renameSync(made, home)
  } catch {
    // Another test was quicker.
    rmSync(made, { recursive: true, force: true })
  }
  return home
}

export interface Page {
  /** What an expression of JavaScript comes to in the page. */
  evaluate: <T>(expression: string) => Promise<T>
  /** PNG. */
  screenshot: () => Promise<Buffer>
  /** What the page asked of anybody, its own file left out. */
  requests: string[]
  /** What it complained about. */
  errors: string[]
}

export interface Browser {
  open: (file: string, size: { width: number; height: number }) => Promise<Page>
  close: () => Promise<void>
}

export async function startBrowser(): Promise<Browser> {
  const home = await unpacked()
  const profile = mkdtempSync(join(tmpdir(), 'k8sops-browser-'))
  const child = spawn(
    join(home, 'chromium'),
    // No sandbox: containers have none to give, and it sees our own file only.
    [
      '--headless=shell',
      '--no-sandbox',
      '--no-zygote',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--hide-scrollbars',
      `--user-data-dir=${profile}`,
      '--remote-debugging-port=0',
      'about:blank',
    ],
    {
      env: { ...process.env, HOME: profile, FONTCONFIG_PATH: join(home, 'fonts'), LD_LIBRARY_PATH: join(home, 'lib') },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const socket = await connected(child)
  return {
    open: (file, size) => openPage(socket, file, size),
    async close() {
      socket.socket.close()
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('close', resolve))
      rmSync(profile, { recursive: true, force: true })
    },
  }
}

type Message = {
  id?: number
  method?: string
  sessionId?: string
  params?: never
  result?: unknown
  error?: { message: string }
}

/** The protocol of Chrome's developer tools. */
interface Protocol {
  socket: WebSocket
  send: <T>(method: string, params?: object, sessionId?: string) => Promise<T>
  on: (listener: (message: Message) => void) => void
}

async function connected(child: ChildProcess): Promise<Protocol> {
  const address = await new Promise<string>((resolve, reject) => {
    const lines: string[] = []
    child.once('exit', (code) => reject(new Error(`the browser ended (${code}): ${lines.join('\n')}`)))
    if (!child.stderr) return
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line)
      const [, url] = /listening on (ws:\/\/\S+)/.exec(line) ?? []
      if (url) resolve(url)
    })
  })
  const socket = new WebSocket(address)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve, { once: true })
    socket.addEventListener('error', reject, { once: true })
  })
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const listeners: ((message: Message) => void)[] = []
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    const asked = message.id === undefined ? undefined : waiting.get(message.id)
    if (!asked) {
      for (const listener of listeners) listener(message)
      return
    }
    if (message.error) asked.reject(new Error(message.error.message))
    else asked.resolve(message.result)
  })
  let last = 0
  return {
    socket,
    on: (listener) => void listeners.push(listener),
    send<T>(method: string, params: object = {}, sessionId?: string) {
      const id = ++last
      const answer = Promise.withResolvers<unknown>()
      waiting.set(id, answer)
      socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }))
      return answer.promise as Promise<T>
    },
  }
}

async function openPage({ send, on }: Protocol, file: string, size: { width: number; height: number }): Promise<Page> {
  const { targetId } = await send<{ targetId: string }>('Target.createTarget', { url: 'about:blank', ...size })
  const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
  const url = `file://${file}`
  const [requests, errors]: [string[], string[]] = [[], []]
  const loaded = new Promise<void>((resolve) => {
    on(({ method, sessionId: of, params }) => {
      if (of !== sessionId) return
      const told = params as unknown as {
        request?: { url: string }
        entry?: { text: string }
        exceptionDetails?: { text: string }
      }
      if (method === 'Network.requestWillBeSent' && told.request?.url !== url) requests.push(told.request?.url ?? '')
      if (method === 'Log.entryAdded') errors.push(told.entry?.text ?? '')
      if (method === 'Runtime.exceptionThrown') errors.push(told.exceptionDetails?.text ?? '')
      if (method === 'Page.loadEventFired') resolve()
    })
  })
  const page = <T>(method: string, params?: object) => send<T>(method, params, sessionId)
  for (const domain of ['Page', 'Network', 'Log', 'Runtime']) await page(`${domain}.enable`)
  await page('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: false })
  await page('Page.navigate', { url })
  await loaded
  return {
    requests,
    errors,
    async evaluate<T>(expression: string) {
      const answer = await page<{ result: { value: T }; exceptionDetails?: { text: string } }>('Runtime.evaluate', {
        expression,
        returnByValue: true,
      })
      if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.text)
      return answer.result.value
    },
    async screenshot() {
      const { data } = await page<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true })
      return Buffer.from(data, 'base64')
    },
  }
}
