// The official OpenAI client for Node: plays its cases and prints what came of each as JSON.
import OpenAI from "openai";

const [url, key, ...named] = process.argv.slice(2);
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";
const HELLO = "Say hello";
const WEATHER = "What is the weather in Oslo?";
const BOTH = "Compare Oslo and Bergen.";
const REPORT = "Report on Oslo.";
const LOOK = "Look at this.";
const CITY = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const REPORTED = {
  type: "object",
  properties: { city: { type: "string" }, celsius: { type: "integer" } },
  required: ["city", "celsius"],
  additionalProperties: false,
};
const TOOL = { type: "function", function: { name: "get_weather", description: "Tell the weather.", parameters: CITY } };
const FLAT = { type: "function", name: "get_weather", parameters: CITY, strict: true };
const IMAGE = `data:image/png;base64,${PIXEL}`;

const client = (apiKey = key) => new OpenAI({ baseURL: `${url}/v1`, apiKey });
const user = (content) => [{ role: "user", content }];
const chat = (content, more = {}) =>
  client().chat.completions.create({ model: "scripted", messages: user(content), ...more });
const respond = (input, more = {}) => client().responses.create({ model: "scripted", input, ...more });
const made = (call) => [call.name, JSON.parse(call.arguments)];

async function all(stream) {
  const found = [];
  for await (const one of await stream) found.push(one);
  return found;
}

const cases = {
  async plain() {
    const reply = await chat(HELLO);
    return [reply.choices[0].message.content, reply.choices[0].finish_reason, reply.usage.total_tokens > 0];
  },
  async stream() {
    const pieces = await all(chat(HELLO, { stream: true }));
    const words = pieces.map((one) => one.choices[0]?.delta?.content).filter(Boolean);
    return [words.join(""), words.length > 1];
  },
  async tools() {
    const first = (await chat(WEATHER, { tools: [TOOL] })).choices[0];
    const call = first.message.tool_calls[0];
    const result = { role: "tool", tool_call_id: call.id, content: '{"celsius": 7}' };
    const messages = [...user(WEATHER), first.message, result];
    const last = await client().chat.completions.create({ model: "scripted", messages, tools: [TOOL] });
    return [[made(call.function)], first.finish_reason, last.choices[0].message.content];
  },
  async stream_tools() {
    const runner = client().chat.completions.stream({ model: "scripted", messages: user(BOTH), tools: [TOOL] });
    const done = await runner.finalChatCompletion();
    return done.choices[0].message.tool_calls.map((call) => made(call.function));
  },
  async parallel() {
    return (await chat(BOTH, { tools: [TOOL] })).choices[0].message.tool_calls.map((call) => made(call.function));
  },
  async structured() {
    const json_schema = { name: "report", schema: REPORTED, strict: true };
    const reply = await client().chat.completions.parse({
      model: "scripted",
      messages: user(REPORT),
      response_format: { type: "json_schema", json_schema },
    });
    return JSON.parse(reply.choices[0].message.content);
  },
  async image() {
    const parts = [{ type: "text", text: LOOK }, { type: "image_url", image_url: { url: IMAGE } }];
    return (await chat(parts)).choices[0].message.content;
  },
  async responses_plain() {
    const reply = await respond(HELLO);
    return [reply.output_text, reply.status, reply.usage.total_tokens > 0];
  },
  async responses_stream() {
    const events = await all(respond(HELLO, { stream: true }));
    const words = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
    return [words.join(""), words.length > 1, events.at(-1).type];
  },
  async responses_tools() {
    const first = await respond(WEATHER, { tools: [FLAT] });
    const call = first.output.find((item) => item.type === "function_call");
    const result = { type: "function_call_output", call_id: call.call_id, output: '{"celsius": 7}' };
    const last = await respond([...user(WEATHER), call, result], { tools: [FLAT] });
    return [[made(call)], last.output_text];
  },
  async responses_structured() {
    const format = { type: "json_schema", name: "report", schema: REPORTED, strict: true };
    return JSON.parse((await respond(REPORT, { text: { format } })).output_text);
  },
  async responses_count() {
    const counted = await client().responses.inputTokens.count({ model: "scripted", input: HELLO });
    return [counted.object, counted.input_tokens > 0];
  },
  async embeddings() {
    const reply = await client().embeddings.create({ model: "vectors", input: ["a", "b"] });
    return [reply.data.length, reply.data[0].embedding.length > 1, reply.data[0].embedding.every(Number.isFinite)];
  },
  async models() {
    const listed = (await all(client().models.list())).map((model) => model.id);
    return [listed.includes("scripted"), (await client().models.retrieve("scripted")).id];
  },
  async wrong_key() {
    return client("ilk_" + "x".repeat(43)).chat.completions.create({ model: "scripted", messages: user(HELLO) });
  },
  unknown_model: () => chat(HELLO, { model: "no-such-model" }),
  unknown_listed: () => client().models.retrieve("no/such"),
  budget: () => chat(HELLO, { model: "broke" }),
  bad_request: () => chat(HELLO, { messages: "hello" }),
  too_large: () => chat("x".repeat(17 << 20)),
  cut_stream: () => all(chat("Break off.", { stream: true })),
  failing_stream: () => all(chat("Fail in the middle.", { stream: true })),
  responses_cut_stream: () => all(respond("Break off.", { stream: true })),
};

const outcomes = {};
for (const [name, play] of Object.entries(cases)) {
  if (named.length && !named.includes(name)) continue;
  try {
    outcomes[name] = { value: await play() };
  } catch (error) {
    const chain = [];
    for (let link = error; link && !chain.includes(link.constructor.name); link = link.cause) chain.push(link.constructor.name);
    const text = String(error.message ?? error).slice(0, 600);
    outcomes[name] = { raised: { kind: error.constructor.name, chain, status: error.status ?? null, text } };
  }
}
console.log(JSON.stringify(outcomes));
