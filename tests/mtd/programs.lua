-- SPDX-License-Identifier: Apache-2.0
-- What Lua can do, checked by itself: it prints the same wherever and however often it moves.
-- usage: lua programs.lua [ROUNDS] [FILE]
local rounds, path = tonumber(arg[1] or 1), arg[2]
local digest = 5381

local function add(...)
	for i = 1, select("#", ...) do
		for c in tostring((select(i, ...))):gmatch(".") do
			digest = (digest * 33 + c:byte()) & 0x7fffffffffffffff
		end
	end
end

local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end

local function sorting(n)
	local t = {}
	for i = 1, n do t[i] = (i * 7919) % 10007 end
	table.sort(t, function(a, b) return a > b end)
	for i = 2, n do assert(t[i - 1] >= t[i]) end
	add(table.concat(t, ",", 1, 20))
end

local function errors(n)
	local ok, e = pcall(function() error({ code = n }) end)
	assert(not ok and e.code == n)
	ok, e = xpcall(function() local x = nil; return x.y end, function(m) return "handled " .. m end)
	assert(not ok and e:find("^handled .*attempt to index"))
	ok, e = pcall(function()
		local ok2 = pcall(error, "inner")
		assert(not ok2)
		error("outer", 0)
	end)
	assert(not ok and e == "outer")
	local function deep(k) return 1 + deep(k + 1) end
	ok, e = pcall(deep, 1)
	assert(not ok and e:find("stack overflow"))
	add(e:sub(-15))
end

local function coroutines(n)
	local function tree(k)
		if k == 0 then return end
		tree(k - 1)
		coroutine.yield(k)
		tree(k - 1)
	end
	local sum = 0
	for k in coroutine.wrap(function() tree(n) end) do sum = sum * 3 % 1000003 + k end
	local bad = coroutine.create(function() coroutine.yield(1); error("in a coroutine") end)
	assert(select(2, coroutine.resume(bad)) == 1 and not coroutine.resume(bad))
	assert(coroutine.status(bad) == "dead")
	add(sum)
end

local function strings(n)
	local s = ("the quick brown fox "):rep(n)
	add((s:gsub("%w+", function(w) return w:reverse() end)), s:find("fox", 20, true))
	add(string.format("%5.3f|%-10s|%q|%g|%a|%x|%i", n / 7, "left", "a\n\0b", 1e100 / n, 0.1, n, -n))
	local packed = string.pack("<i4 z s2 d B", n, "zero", "sized", n + 0.25, 200)
	local a, b, c, d, e = string.unpack("<i4 z s2 d B", packed)
	assert(a == n and b == "zero" and c == "sized" and d == n + 0.25 and e == 200)
	assert(utf8.len("äöü€") == 4 and tostring(2 ^ 53) == "9.007199254741e+15")
	assert(math.tointeger("8") == nil or math.tointeger("8") == 8)
	add(7 // 2, -7 // 2, 7 % -3, 1 << 62, 7.5 // 2, math.pi, 10 / 3, 3 | 8, "10" + 5)
end

local function objects(n)
	local V = {}
	V.__index = V
	V.__add = function(a, b) return setmetatable({ x = a.x + b.x }, V) end
	V.__eq = function(a, b) return a.x == b.x end
	V.__lt = function(a, b) return a.x < b.x end
	V.__tostring = function(v) return "V(" .. v.x .. ")" end
	V.__close = function(v) add("closed", v.x) end
	V.__gc = function() end
	local sum = setmetatable({ x = 0 }, V)
	for i = 1, n do
		local v <close> = setmetatable({ x = i }, V)
		sum = sum + v
		assert(not (sum < v))
	end
	add(tostring(sum))
	local weak = setmetatable({}, { __mode = "k" })
	for i = 1, n do weak[{}] = i end
	collectgarbage()
	assert(next(weak) == nil)
end

local function code(n)
	local f = assert(load("local a = ... ; goto on; do return 0 end ::on:: return function(b) return a * b end"))
	add(f(n)(6))
	assert(not load("x ="))
	local d = string.dump(function(x) return x + 1 end)
	assert(load(d, "d", "b")(1) == 2)
	add(#debug.traceback("t") > 0)
end

local function files()
	if not path then return end
	local f = assert(io.open(path, "w"))
	for i = 1, 200 do f:write("line ", i, "\n") end
	f:close()
	local n = 0
	for l in io.lines(path) do
		n = n + 1
		assert(l == "line " .. n)
	end
	f = io.open(path, "rb")
	assert(f:seek("end") == 1692 and f:seek("set", 5) == 5 and f:read(3, "n") and f:close())
	assert(os.remove(path) and not io.open(path))
	add(n)
end

for i = 1, rounds do
	add(fib(14 + i % 3))
	sorting(300 + i)
	errors(i)
	coroutines(7)
	strings(5 + i)
	objects(100)
	code(i)
	files()
	print(string.format("round %d %x", i, digest))
end
