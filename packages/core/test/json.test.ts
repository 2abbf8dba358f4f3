import { ConfigError, parseJsonObject } from '@dalle-mini/core';
import { expect, test } from 'vitest';

test('the text of a JSON object is parsed', () => {
  expect(parseJsonObject('{"a": [1, null]}', 'a.json')).toEqual({ a: [1, null] });
});

test.each(['[1]', 'null', '7', '"a"'])('%s is refused: it is JSON, and not an object', (text) => {
  expect(() => parseJsonObject(text, 'a.json', 'Write it again.')).toThrow(ConfigError);
  expect(() => parseJsonObject(text, 'a.json', 'Write it again.')).toThrow(
    /^a\.json: the text must be a JSON object, not .*\. Write it again\.$/,
  );
});

test('what is not JSON is refused in one short line, whatever it is', () => {
  const message = (text: string) => {
    try {
      parseJsonObject(text, 'a.json');
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was accepted');
  };
  for (const text of ['', '{"a": 1', '{\n"a"\n:\nx}', `{${'y'.repeat(1e5)}`]) {
    expect(message(text)).toMatch(
      /^a\.json: the text must be JSON, and is not \(.*\)\. Correct it, or download it again\.$/,
    );
    expect(message(text).length).toBeLessThan(300);
  }
});
