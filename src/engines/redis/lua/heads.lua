-- Shared by scripts: numbers as text, and the head of a topic.

-- What fits into a C integer of any build takes the format that is several times faster.
local function text(n) return string.format(n < 2147483648 and '%d' or '%.0f', n) end

local function run()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- All its members but those that are counted up stay texts.
local function parseHead(value)
  local epoch, offset, seq, born, evicted, bytes, count, ids, idle =
    string.match(value, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
  return {
    epoch = epoch, offset = tonumber(offset), seq = seq, born = born, evicted = evicted, bytes = tonumber(bytes),
    count = tonumber(count), ids = ids, idle = idle,
  }
end

local function formatHead(h)
  return h.epoch .. ' ' .. text(h.offset) .. ' ' .. h.seq .. ' ' .. h.born .. ' ' .. h.evicted .. ' ' .. text(h.bytes)
    .. ' ' .. text(h.count) .. ' ' .. h.ids .. ' ' .. h.idle
end
