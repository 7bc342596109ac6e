-- Returns the nodes that count something and were not heard of for the time-out.

local dead = {}
for _, name in ipairs(redis.call('SMEMBERS', counting)) do
  if isDead(name) then dead[#dead + 1] = name end
end
return dead
