package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pecvt/pecvt/posenc"
)

// flagError says what is wrong with a flag in the words of the command line.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		return usagef("--%s %q: expected %s", f.Name, value.GetValue(), kindOf(f))
	case errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1:
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		return usagef("%s: flag --%s%s", cmd.Name(), unknown.GetSpecifiedName(), posenc.Suggest(unknown.GetSpecifiedName(), names))
	}
	return usageError{fmt.Errorf("%s: %w", cmd.Name(), err)}
}

// kindOf names what a flag takes.
func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "intSlice":
		return "whole numbers with commas between them"
	case "bool":
		return "true or false"
	default:
		return "a " + f.Value.Type()
	}
}

// complete offers a flag's values to the shell. It panics on a flag that cmd
// does not have.
func complete(cmd *cobra.Command, flag string, values []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(fmt.Sprintf("pecvt: completion of %s --%s: %v", cmd.Name(), flag, err))
	}
}
