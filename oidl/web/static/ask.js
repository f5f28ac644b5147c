// Asks the server.

export const ask = async (path) => {
  try {
    const answer = await fetch(path);
    return await answer.json();
  } catch {
    return { error: "The server does not answer." };
  }
};
