import { expect, it } from 'vitest';
import { Resource } from './resource.svelte';

it('keeps the answer to the latest question, however late an earlier one comes', async () => {
  const answers: ((word: string) => void)[] = [];
  const words = new Resource(() => new Promise<string>((answer) => answers.push(answer)));
  const again = words.reload();
  answers[1]?.('later');
  await again;
  answers[0]?.('earlier');
  await Promise.resolve();
  expect(words.value).toBe('later');
});

it('shows the last good value beside a failure, until one is good again', async () => {
  let fails = false;
  const words = new Resource(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve('good')));
  await words.reload();
  fails = true;
  await words.reload();
  expect([words.value, String(words.failure)]).toEqual(['good', 'Error: away']);
  fails = false;
  await words.reload();
  expect(words.failure).toBeNull();
});
