/** Packs files into a .tgz whose bytes depend on nothing but the files: a chart's digest must not change from run to run. */
import { gzipSync } from 'node:zlib'

const blockSize = 512

/**
 * A gzipped tar archive of regular files, in the order given, without owner or time.
 * @param files path inside the archive (at most 255 bytes) -> content
 */
export function packTgz(files: Map<string, string | Buffer>): Buffer {
  const blocks: Buffer[] = []
  for (const [path, content] of files) {
    const bytes = Buffer.from(content)
    blocks.push(header(path, bytes.length), bytes, Buffer.alloc(padding(bytes.length)))
  }
  blocks.push(Buffer.alloc(2 * blockSize))
  const packed = gzipSync(Buffer.concat(blocks), { level: 9 })
  // The operating system byte of the gzip header (RFC 1952) would differ between machines.
  packed[9] = 255
  return packed
}

const padding = (size: number) => (blockSize - (size % blockSize)) % blockSize

/** A ustar header (POSIX.1-1988): octal numbers in text fields, checksum over the header with its own field as spaces. */
function header(path: string, size: number): Buffer {
  const [name, prefix] = splitPath(path)
  const block = Buffer.alloc(blockSize)
  const octal = (value: number, width: number) => `${value.toString(8).padStart(width - 1, '0')}\0`
  block.write(name, 0)
  block.write(octal(0o644, 8), 100)
  block.write(octal(0, 8), 108)
  block.write(octal(0, 8), 116)
  block.write(octal(size, 12), 124)
  block.write(octal(0, 12), 136)
  block.write('        ', 148)
  block.write('0', 156)
  block.write('ustar\0', 257)
  block.write('00', 263)
  block.write(prefix, 345)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}

/** ustar keeps up to 100 bytes of a path in `name` and what comes before a `/` in `prefix`. */
function splitPath(path: string): [name: string, prefix: string] {
  if (Buffer.byteLength(path) <= 100) return [path, '']
  for (let cut = path.indexOf('/'); cut >= 0; cut = path.indexOf('/', cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [name, prefix]
  }
  throw new Error(`path too long for a ustar archive: ${path}`)
}
