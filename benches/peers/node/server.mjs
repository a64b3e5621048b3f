// The custom-handler protocol, as far as these handlers need it.
import { createServer } from "node:http";

/** Answers each invocation with what `seal` returns for its event, or with 500 if that throws. */
export function serve(seal) {
  const answer = (response, status, Logs) => {
    const body = JSON.stringify({ Outputs: {}, Logs, ReturnValue: null });
    response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
    response.end(body);
  };
  const server = createServer(async (request, response) => {
    try {
      const parts = [];
      for await (const part of request) parts.push(part);
      answer(response, 200, [await seal(JSON.parse(Buffer.concat(parts)).Data.event)]);
    } catch (fault) {
      answer(response, 500, [String(fault)]);
    }
  });
  server.listen(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1");
}
