-- SPDX-License-Identifier: GPL-2.0-or-later
-- A fixed job for the Lua interpreter that visits most of it. The same scale gives the same output
-- and, but for hash seeds, the same work. Usage: lua bench.lua [SCALE]	(default: 100)
local scale = tonumber(arg and arg[1]) or 100

local state = 12345
local function random(limit)
	state = (state * 1103515245 + 12345) & 0x7fffffff
	return state % limit
end

local checksum = 0
local function check(value)
	checksum = (checksum * 31 + value) & 0xffffffff
end

local function concatenate(n)
	local text = ""
	for i = 1, n do
		text = text .. i .. "," .. (i * 2)
		if #text > 2000 then
			check(#text)
			text = ""
		end
	end
	check(#text)
end

local function fill_tables(n)
	local list, map = {}, {}
	for i = 1, n do
		list[#list + 1] = random(1000)
		map["key" .. random(200)] = i
		map[i * 1.5] = i
	end
	local sum = 0
	for _, value in ipairs(list) do
		sum = sum + value
	end
	for _, value in pairs(map) do
		sum = sum + value
	end
	check(sum)
	return list
end

local function sort_numbers(n)
	local list = fill_tables(n)
	table.sort(list)
	check(list[1] + list[#list // 2 + 1])
	table.sort(list, function(a, b) return a > b end)
	check(list[1])
	table.insert(list, 1, 7)
	check(table.remove(list))
	check(#table.concat(list, " "))
end

local function make_counter()
	local count = 0
	return function(step)
		count = count + step
		return count
	end
end

local function call_closures(n)
	local counters = {}
	for i = 1, 10 do
		counters[i] = make_counter()
	end
	for i = 1, n do
		check(counters[i % 10 + 1](i))
	end
end

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__lt = function(a, b) return a.x < b.x end
Vector.__len = function(a) return a.x end
Vector.__concat = function(a, b) return tostring(a) .. tostring(b) end
Vector.__tostring = function(a) return "(" .. a.x .. " " .. a.y .. ")" end
function Vector:length2() return self.x * self.x + self.y * self.y end

local function use_metatables(n)
	local sum = setmetatable({x = 0, y = 0}, Vector)
	local one = setmetatable({x = 1, y = 2}, Vector)
	local defaults = setmetatable({}, {__index = function(_, key) return #key end})
	for i = 1, n do
		sum = sum + one
		check(sum:length2() & 0xffff)
		check((sum == one and 1 or 0) + (one < sum and 2 or 0) + #sum)
		check(defaults["missing" .. i % 7])
	end
	check(#(sum .. one))
end

local function format_strings(n)
	for i = 1, n do
		local text = string.format("%d %5.2f %s %q %x", i, i / 3, "name", "a\nb", i)
		text = text:gsub("%d+", function(digits) return #digits end):upper():rep(2, "-")
		check(#text + (text:find("NAME", 1, true) or 0))
		for word in text:gmatch("%a+") do
			check(word:byte(1))
		end
		check(tonumber("0x" .. string.format("%x", i)) + #tostring(i / 7))
	end
end

local function fail(i)
	if i % 2 == 0 then
		error("even", 0)
	end
	error({code = i})
end

local function catch_errors(n)
	for i = 1, n do
		local ok, problem = pcall(fail, i)
		check(ok and 1 or type(problem) == "table" and problem.code or #problem)
		check(select("#", xpcall(fail, function() return i end, i)))
	end
end

local function run_coroutines(n)
	local producer = coroutine.wrap(function()
		for i = 1, n do
			coroutine.yield(i)
		end
		return 0
	end)
	for _ = 1, n + 1 do
		check(producer())
	end
end

local function fibonacci(n)
	if n < 2 then
		return n
	end
	return fibonacci(n - 1) + fibonacci(n - 2)
end

local function compute(n)
	local total = 0.0
	for i = 1, n do
		total = total + math.sin(i) * math.floor(i / 3) // 1 % 17
		total = total + (i ~ (i << 3)) % 5
	end
	check(math.floor(total))
	check(load("local a = ... return a * 2 + 1")(n))
end

for _ = 1, scale do
	concatenate(300)
	sort_numbers(200)
	call_closures(500)
	use_metatables(200)
	format_strings(60)
	catch_errors(100)
	run_coroutines(200)
	check(fibonacci(12))
	compute(400)
	collectgarbage("step")
end
print(string.format("bench.lua: scale %d, checksum %08x", scale, checksum))
