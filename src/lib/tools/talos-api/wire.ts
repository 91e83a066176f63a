/**
 * Protocol Buffers as far as our reads need them: text and flags out, numbers, texts and messages in. A library for all of it and
 * one for gRPC take 33 MB, a fifth of what a command may have; what is read is held against the real talosctl by a test.
 */

/** Values of a message by field number, in the order in which they came. */
export type Fields = Map<number, (bigint | Buffer)[]>

export function encodeFields(fields: Record<number, string | true>): Buffer {
  const parts = Object.entries(fields).flatMap(([number, value]) => {
    if (value === true) return [varint(Number(number) << 3), varint(1)]
    const bytes = Buffer.from(value)
    return [varint((Number(number) << 3) | 2), varint(bytes.length), bytes]
  })
  return Buffer.concat(parts)
}

/** @throws RangeError for bytes that are no message */
export function decodeFields(bytes: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const number = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes.readUInt8(at++)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError('a field is longer than its message')
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(number())
    const values = fields.get(tag >> 3) ?? []
    fields.set(tag >> 3, values)
    const kind = tag & 7
    if (kind === 0) values.push(number())
    else if (kind === 2) values.push(take(Number(number())))
    else if (kind === 1) values.push(take(8))
    else if (kind === 5) values.push(take(4))
    else throw new RangeError(`a field of unknown kind ${kind}`)
  }
  return fields
}

/** Zero, as proto3 has it, where it was not sent. */
export const numberAt = (fields: Fields, field: number): bigint => {
  const value = fields.get(field)?.at(-1)
  return typeof value === 'bigint' ? value : 0n
}

export const bytesAt = (fields: Fields, field: number): Buffer => {
  const value = fields.get(field)?.at(-1)
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0)
}

export const textAt = (fields: Fields, field: number): string => bytesAt(fields, field).toString('utf8')

/** Every one of a repeated text. */
export const textsAt = (fields: Fields, field: number): string[] =>
  (fields.get(field) ?? []).flatMap((value) => (Buffer.isBuffer(value) ? [value.toString('utf8')] : []))

/** Every one of a repeated message, and the only one of a single one. */
export const messagesAt = (fields: Fields, field: number): Fields[] =>
  (fields.get(field) ?? []).flatMap((value) => (Buffer.isBuffer(value) ? [decodeFields(value)] : []))

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}
