import assert from 'node:assert/strict'
import { LittleEndianReader } from '../../src/core/little-endian-reader.ts'
import { ReadError } from '../../src/core/reader.ts'

describe('LittleEndianReader', () => {
  const bytes = Uint8Array.from({ length: 18 }, (_, i) => i + 1)

  it('reads numbers with their lowest byte first, from a view too', () => {
    for (const input of [bytes, Uint8Array.of(9, ...bytes).subarray(1)]) {
      const reader = new LittleEndianReader(input)
      assert.deepEqual(
        [reader.u8(), reader.u16(), reader.u32(), reader.u64(), reader.offset, reader.remaining],
        [1, 0x0302, 0x07060504, 0x0f0e0d0c0b0a0908n, 15, 3],
      )
      assert.deepEqual([reader.bytes(1), reader.rest()], [Uint8Array.of(16), Uint8Array.of(17, 18)])
      reader.end('it')
    }
  })

  it('refuses what is not there, and what is left over', () => {
    const reader = new LittleEndianReader(bytes.subarray(0, 3))
    for (const read of [() => reader.u32(), () => reader.u64(), () => reader.bytes(4)]) assert.throws(read, ReadError)
    assert.throws(() => reader.end('it'), /it: 3 bytes too many/)
    reader.bytes(3)
    for (const read of [() => reader.u8(), () => reader.u16()]) assert.throws(read, ReadError)
  })
})
