const { fromPretrained } = require('@dalle-mini/pipeline');

fromPretrained('emoji', { threads: 2 }).then(async (model) => {
  const [picture] = await model.generate('a red apple', { seed: 7 });
  await model.dispose();
  console.log(picture.tokens.join());
});
